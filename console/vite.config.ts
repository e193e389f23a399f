import { defineConfig } from "vite";

/** Relative paths, so that the page works behind a proxy's prefix; no inlined files, which its policy would refuse. */
export default defineConfig({
  base: "./",
  // Other packages of the repository bring another version; with two of them in the page its signals tell nobody.
  resolve: { dedupe: ["preact"] },
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
