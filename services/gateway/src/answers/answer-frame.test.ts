import { expect, it } from "vitest";
import { chunkTemplate } from "./answer-frame.js";

it.each(["plain", 'quotes " and \\', "\u0000\n😀\ud800", ""])("serializes %j as JSON.stringify does", (text) => {
  const make = (content: string) => ({ id: "a", choices: [{ delta: { content }, finish_reason: null }] });
  expect(chunkTemplate(make)(text)).toBe(JSON.stringify(make(text)));
});
