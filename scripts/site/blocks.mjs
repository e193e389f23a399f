import { renderMermaidSVG } from "beautiful-mermaid";

/** In the colours of the page, and without the font that it would fetch. */
function draw(code) {
  const svg = renderMermaidSVG(code, { bg: "var(--vp-c-bg)", fg: "var(--vp-c-text-1)" });
  return svg.replace(/@import url\([^)]*\);/, "");
}

/** Languages that the site can't colour. */
const PLAIN = new Set(["promql"]);

/**
 * A plugin of markdown-it: a block of Mermaid is drawn when the site is built, unless its kind can't be. An indented
 * block looks like one between fences.
 */
export function blocks(md) {
  const { fence } = md.renderer.rules;
  md.renderer.rules.code_block = (tokens, index, ...rest) => {
    tokens[index].info = "txt";
    return fence(tokens, index, ...rest);
  };
  md.renderer.rules.fence = (tokens, index, ...rest) => {
    const { info, content } = tokens[index];
    if (PLAIN.has(info.trim())) tokens[index].info = "txt";
    if (info.trim() !== "mermaid" || /^gantt\b/.test(content)) return fence(tokens, index, ...rest);
    // Vue leaves styles out of templates, but not out of HTML that it is given.
    return `<div class="diagram" v-html="${md.utils.escapeHtml(JSON.stringify(draw(content)))}"></div>\n`;
  };
}
