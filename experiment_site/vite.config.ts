// Builds the participant's page and the researcher's into the Python package, which serves them. The server allows no
// inline scripts and nothing from elsewhere.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../lwise_core/local/site",
    emptyOutDir: true,
    target: "es2022",
    rolldownOptions: { input: ["index.html", "researcher.html"] },
    modulePreload: { polyfill: false },
  },
});
