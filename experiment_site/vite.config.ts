// Builds the page into the Python package, which serves it. The server allows no inline scripts and nothing from elsewhere.
import { defineConfig } from "vite";

export default defineConfig({
  base: "./",
  build: {
    outDir: "../lwise_core/local/site",
    emptyOutDir: true,
    target: "es2022",
    modulePreload: { polyfill: false },
  },
});
