import { expect, test } from "vitest";
import { addressOf } from "./links.mjs";

test.each([
  { what: "another page", href: "failures.md#when-a-process-hangs", address: "failures.md#when-a-process-hangs" },
  { what: "this page", href: "#clients", address: "#clients" },
  { what: "another site", href: "https://keepachangelog.com", address: "https://keepachangelog.com" },
  { what: "a folder's README, its index", href: "../deploy/README.md#ipv6", address: "../deploy/index.md#ipv6" },
  { what: "a folder with a README", href: "../packages/ggml/", address: "../packages/ggml/index.md" },
  { what: "a file that is no page", href: "../package.json", address: "https://source/package.json" },
  { what: "nothing, which the build refuses", href: "gone.html", address: "gone.html" },
])("a link to $what", ({ href, address }) => {
  expect(addressOf(href, "docs/api.md", "https://source/")).toBe(address);
});

test("a link to a file that is no page is none where nobody knows the repository's address", () => {
  expect(addressOf("../package.json", "docs/api.md", undefined)).toBeUndefined();
});
