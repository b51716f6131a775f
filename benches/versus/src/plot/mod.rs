//! Plots, as SVG that reads on light and dark pages.

mod growth;
mod ratios;

pub use growth::growth;
pub use ratios::ratios;

fn open(width: f64, height: f64) -> String {
    format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {width} {height}\" \
         font-family=\"sans-serif\" font-size=\"13\">\n<style>\n\
         text{{fill:#57606a}} .grid{{stroke:#8c959f;stroke-opacity:.3}} .axis{{stroke:#57606a}}\n\
         .maison{{fill:#1a7f37}} .mosquitto{{fill:#0969da}} .rumqttd{{fill:#bf8700}}\n\
         .line{{fill:none;stroke-width:2}} .line.maison{{stroke:#1a7f37}}\n\
         .line.mosquitto{{stroke:#0969da}} .line.rumqttd{{stroke:#bf8700}}\n\
         @media(prefers-color-scheme:dark){{text{{fill:#8b949e}}}}\n</style>\n"
    )
}
