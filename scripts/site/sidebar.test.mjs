import { expect, test } from "vitest";
import { sidebarOf } from "./sidebar.mjs";

const pages = {
  "docs/README.md": `# Documents

## Quick start

| ask | read |
| How? | [quick start](quick-start.md) |

## Operate

[failures](failures.md#a), [deploy](../deploy/README.md), again [failures](failures.md#b), [out](https://x.org/y.md)

## API

[failures](failures.md)
`,
  "docs/quick-start.md": "# Quick start",
  "docs/failures.md": "# Failures",
  "docs/tracing.md": "# Tracing\n\n# A comment in code",
  "docs/runbooks/no-workers.md": "# No workers",
  "docs/runbooks/README.md": "# Runbooks of alerts",
  "deploy/README.md": "# deploy",
};

test("groups are the index's headings, a page is where it comes first, and a new page appears by itself", () => {
  expect(sidebarOf(Object.keys(pages), (page) => pages[page])).toEqual([
    { text: "Quick start", collapsed: false, items: [{ text: "Quick start", link: "/docs/quick-start" }] },
    {
      text: "Operate",
      collapsed: false,
      items: [
        { text: "Failures", link: "/docs/failures" },
        { text: "deploy", link: "/deploy/" },
      ],
    },
    {
      text: "Runbooks",
      collapsed: false,
      items: [
        { text: "Runbooks of alerts", link: "/docs/runbooks/" },
        { text: "No workers", link: "/docs/runbooks/no-workers" },
      ],
    },
    { text: "More", collapsed: false, items: [{ text: "Tracing", link: "/docs/tracing" }] },
  ]);
});
