import { defineConfig } from "vite";

/** Relative paths, so that the page works behind a proxy's prefix; no inlined files, which its policy would refuse. */
export default defineConfig({
  base: "./",
  build: {
    target: "es2022",
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    reportCompressedSize: false,
  },
});
