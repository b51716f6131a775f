#!/usr/bin/env bash
# The story of `story.md`, by mosquitto_pub and mosquitto_sub. They do not say whether the broker had a session.
set -euo pipefail

[ "$MQTT_TRANSPORT" = tcp ] || { echo "mosquitto's programs speak TCP only" >&2; exit 1; }

options=(-h "$MQTT_HOST" -p "$MQTT_PORT" -q "$MQTT_QOS")
stays=(-c)
case $MQTT_VERSION in
    3.1.1) options+=(-V mqttv311) ;;
    5) options+=(-V mqttv5) stays+=(-x 3600) ;;
esac
[ -z "$MQTT_CA" ] || options+=(--cafile "$MQTT_CA")
[ -z "$MQTT_USER" ] || options+=(-u "$MQTT_USER" -P "$MQTT_PASSWORD")

# publish PART
publish() {
    for ((number = 0; number < MQTT_COUNT; number++)); do
        if [ "$number" = 7 ]; then printf '%s %s%020000d\n' "$1" 7 0 | tr 0 .; else echo "$1 $number"; fi
    done | mosquitto_pub "${options[@]}" -i "$MQTT_ID-publisher" -t "$MQTT_TOPIC" -l
    echo "published $1"
}

# receive ID COUNT PART: receives so many messages; publishes that part as soon as it has subscribed.
receive() {
    stdbuf -oL mosquitto_sub "${options[@]}" "${stays[@]}" -d -i "$1" -t "$MQTT_FILTER" -C "$2" -W 20 \
        -F 'received %t %q %r %p' |
        while read -r line; do
            case $line in
                "Subscribed"*) echo "granted ${line##* }"; publish "$3" ;;
                received*) echo "$line" ;;
            esac
        done
}

receive "$MQTT_ID" "$MQTT_COUNT" here
echo left
# A witness, so that all of QoS 0 has arrived too.
receive "$MQTT_ID-witness" "$MQTT_COUNT" away | grep published
returning=$MQTT_COUNT
[ "$MQTT_QOS" = 0 ] || returning=$((2 * MQTT_COUNT))
receive "$MQTT_ID" "$returning" back
