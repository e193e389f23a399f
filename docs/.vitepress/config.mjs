import { defineConfig } from "vitepress";
import { blocks } from "../../scripts/site/blocks.mjs";
import { links } from "../../scripts/site/links.mjs";
import { sidebar } from "../../scripts/site/sidebar.mjs";

// The site is the repository's pages where they are: each folder's README is its index. RHONE_DOCS_BASE is the path at
// which it is served; RHONE_DOCS_SOURCE the address of the repository's files, for links to what is no page.
const { RHONE_DOCS_BASE: base = "/", RHONE_DOCS_SOURCE: source } = process.env;

export default defineConfig({
  title: "Rhone",
  description: "Serves Mistral 7B and its Llama-architecture siblings from many small machines",
  base,
  srcDir: "..",
  srcExclude: ["test/**", "**/dist/**"],
  rewrites: (page) => page.replace(/README\.md$/, "index.md"),
  cleanUrls: true,
  markdown: {
    html: false,
    config: (md) => {
      md.use(links, source);
      md.use(blocks);
    },
  },
  themeConfig: {
    nav: [
      { text: "Quick start", link: "/docs/quick-start" },
      { text: "All pages", link: "/docs/" },
      { text: "Changelog", link: "/CHANGELOG" },
    ],
    sidebar: sidebar(),
    outline: { level: [2, 3] },
    search: { provider: "local" },
  },
});
