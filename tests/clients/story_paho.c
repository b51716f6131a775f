/* The story of `story.md`, by the synchronous client of libpaho-mqtt (`cc story_paho.c -lpaho-mqtt3cs`). */
#include <MQTTClient.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { LONGEST_WAIT = 20, LONG_NUMBER = 7, LONG_DOTS = 20000, COUNT_MAX = 100 };

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t arrived = PTHREAD_COND_INITIALIZER;
static char seen[64];

static const char *setting(const char *name) {
    const char *value = getenv(name);
    return value ? value : "";
}

static bool is_v5(void) { return strcmp(setting("MQTT_VERSION"), "5") == 0; }

static void require(bool holds, const char *what, int code) {
    if (holds) return;
    fprintf(stderr, "%s: %d\n", what, code);
    exit(1);
}

/* Says a message, and remembers it for who waits. */
static int said(void *context, char *topic, int topic_length, MQTTClient_message *message) {
    (void)context, (void)topic_length;
    printf("received %s %d %d %.*s\n", topic, message->qos, message->retained, message->payloadlen,
           (const char *)message->payload);
    pthread_mutex_lock(&lock);
    snprintf(seen, sizeof seen, "%.*s", message->payloadlen, (const char *)message->payload);
    pthread_cond_signal(&arrived);
    pthread_mutex_unlock(&lock);
    MQTTClient_freeMessage(&message);
    MQTTClient_free(topic);
    return 1;
}

static void receive_until(const char *part, int number) {
    char last[64];
    snprintf(last, sizeof last, "%s %d", part, number);
    struct timespec deadline;
    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += LONGEST_WAIT;
    pthread_mutex_lock(&lock);
    while (strcmp(seen, last) != 0) {
        int late = pthread_cond_timedwait(&arrived, &lock, &deadline);
        require(late == 0, last, late);
    }
    pthread_mutex_unlock(&lock);
}

/* Connects; whether the broker had a session. */
static bool connect_client(MQTTClient client, bool stays) {
    MQTTClient_connectOptions v4 = MQTTClient_connectOptions_initializer;
    MQTTClient_connectOptions v5 = MQTTClient_connectOptions_initializer5;
    MQTTClient_connectOptions ws = MQTTClient_connectOptions_initializer_ws;
    MQTTClient_connectOptions ws5 = MQTTClient_connectOptions_initializer5_ws;
    bool websocket = strcmp(setting("MQTT_TRANSPORT"), "websocket") == 0;
    MQTTClient_connectOptions options = is_v5() ? (websocket ? ws5 : v5) : (websocket ? ws : v4);
    MQTTClient_SSLOptions tls = MQTTClient_SSLOptions_initializer;
    options.reliable = 0;
    options.maxInflightMessages = COUNT_MAX + 1;
    tls.trustStore = setting("MQTT_CA");
    tls.verify = 1;
    if (*tls.trustStore) options.ssl = &tls;
    if (*setting("MQTT_USER")) {
        options.username = setting("MQTT_USER");
        options.password = setting("MQTT_PASSWORD");
    }
    if (!is_v5()) {
        options.MQTTVersion = MQTTVERSION_3_1_1;
        options.cleansession = !stays;
        int code = MQTTClient_connect(client, &options);
        require(code == MQTTCLIENT_SUCCESS, "connect", code);
        return options.returned.sessionPresent;
    }
    options.cleanstart = !stays;
    MQTTProperties properties = MQTTProperties_initializer;
    MQTTProperty expiry = {.identifier = MQTTPROPERTY_CODE_SESSION_EXPIRY_INTERVAL};
    expiry.value.integer4 = stays ? 3600 : 0;
    MQTTProperties_add(&properties, &expiry);
    MQTTResponse answer = MQTTClient_connect5(client, &options, &properties, NULL);
    require(answer.reasonCode == MQTTREASONCODE_SUCCESS, "connect", answer.reasonCode);
    MQTTProperties_free(&properties);
    MQTTResponse_free(answer);
    return options.returned.sessionPresent;
}

static MQTTClient come(const char *id, bool stays) {
    bool websocket = strcmp(setting("MQTT_TRANSPORT"), "websocket") == 0;
    bool secure = *setting("MQTT_CA");
    const char *scheme = websocket ? (secure ? "wss" : "ws") : (secure ? "ssl" : "tcp");
    char uri[256];
    snprintf(uri, sizeof uri, "%s://%s:%s%s", scheme, setting("MQTT_HOST"), setting("MQTT_PORT"),
             websocket ? "/mqtt" : "");
    MQTTClient_createOptions create = MQTTClient_createOptions_initializer;
    create.MQTTVersion = is_v5() ? MQTTVERSION_5 : MQTTVERSION_3_1_1;
    MQTTClient client;
    int code = MQTTClient_createWithOptions(&client, uri, id, MQTTCLIENT_PERSISTENCE_NONE, NULL, &create);
    require(code == MQTTCLIENT_SUCCESS, "create", code);
    MQTTClient_setCallbacks(client, NULL, NULL, said, NULL);
    bool session = connect_client(client, stays);
    /* Of 5.0 the library does not tell. */
    if (stays && !is_v5()) printf("connected session=%d\n", session);
    return client;
}

static void leave(MQTTClient client) {
    int code = is_v5() ? MQTTClient_disconnect5(client, 1000, MQTTREASONCODE_SUCCESS, NULL)
                       : MQTTClient_disconnect(client, 1000);
    require(code == MQTTCLIENT_SUCCESS, "disconnect", code);
    MQTTClient_destroy(&client);
}

static void subscribe(MQTTClient client, int qos) {
    if (is_v5()) {
        MQTTResponse answer = MQTTClient_subscribe5(client, setting("MQTT_FILTER"), qos, NULL, NULL);
        printf("granted %d\n", answer.reasonCode);
        MQTTResponse_free(answer);
        return;
    }
    char *filter = (char *)setting("MQTT_FILTER");
    int code = MQTTClient_subscribeMany(client, 1, &filter, &qos);
    require(code == MQTTCLIENT_SUCCESS, "subscribe", code);
    printf("granted %d\n", qos);
}

/* Starts to publish; the token to wait for, with QoS 0 an empty one. */
static MQTTClient_deliveryToken publish(MQTTClient client, const char *topic, const char *payload, int qos) {
    MQTTClient_message message = MQTTClient_message_initializer;
    message.payload = (void *)payload;
    message.payloadlen = (int)strlen(payload);
    message.qos = qos;
    MQTTClient_deliveryToken token = 0;
    int code;
    if (is_v5()) {
        code = (int)MQTTClient_publishMessage5(client, topic, &message, &token).reasonCode;
    } else {
        code = MQTTClient_publishMessage(client, topic, &message, &token);
    }
    require(code == MQTTCLIENT_SUCCESS, "publish", code);
    return token;
}

static void publish_part(MQTTClient client, const char *part, int count, int qos) {
    static char payload[64 + LONG_DOTS];
    MQTTClient_deliveryToken tokens[COUNT_MAX + 1];
    for (int number = 0; number < count; number++) {
        int length = snprintf(payload, sizeof payload, "%s %d", part, number);
        if (number == LONG_NUMBER) {
            memset(payload + length, '.', LONG_DOTS);
            payload[length + LONG_DOTS] = '\0';
        }
        tokens[number] = publish(client, setting("MQTT_TOPIC"), payload, qos);
    }
    tokens[count] = publish(client, setting("MQTT_ID"), "all of QoS 0 has arrived before this", 1);
    for (int number = 0; number <= count; number++) {
        if (qos == 0 && number < count) continue;
        int code = MQTTClient_waitForCompletion(client, tokens[number], LONGEST_WAIT * 1000L);
        require(code == MQTTCLIENT_SUCCESS, "complete", code);
    }
    printf("published %s\n", part);
}

int main(void) {
    setvbuf(stdout, NULL, _IOLBF, 0);
    MQTTClient_init_options init = MQTTClient_init_options_initializer;
    init.do_openssl_init = 1;
    MQTTClient_global_init(&init);
    int qos = atoi(setting("MQTT_QOS")), count = atoi(setting("MQTT_COUNT"));
    require(count > 0 && count <= COUNT_MAX, "MQTT_COUNT", count);
    char publisher_id[128];
    snprintf(publisher_id, sizeof publisher_id, "%s-publisher", setting("MQTT_ID"));

    MQTTClient subscriber = come(setting("MQTT_ID"), true);
    subscribe(subscriber, qos);
    MQTTClient publisher = come(publisher_id, false);
    publish_part(publisher, "here", count, qos);
    receive_until("here", count - 1);
    leave(subscriber);
    printf("left\n");
    publish_part(publisher, "away", count, qos);
    subscriber = come(setting("MQTT_ID"), true);
    publish_part(publisher, "back", count, qos);
    receive_until("back", count - 1);
    leave(subscriber);
    leave(publisher);
    return 0;
}
