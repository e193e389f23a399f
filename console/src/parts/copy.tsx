import { useState } from "preact/hooks";
import { Icon } from "./icon.tsx";

const SHOWN_MS = 1500;

/** Copies a text, and says that it did. `what`: names the text for those who hear the page. */
export function CopyButton({ text, what }: { readonly text: string; readonly what: string }) {
  const [isCopied, setCopied] = useState(false);
  const copy = async () => {
    await writeClipboard(text);
    setCopied(true);
    setTimeout(() => setCopied(false), SHOWN_MS);
  };
  return (
    <button type="button" class="quiet" title={`Copy ${what}`} aria-label={`Copy ${what}`} onClick={() => void copy()}>
      <Icon name={isCopied ? "check" : "copy"} />
      <span class="unseen" role="status">
        {isCopied ? "Copied" : ""}
      </span>
    </button>
  );
}

/** Browsers give pages that came over plain HTTP from another machine no clipboard: there a selection does it. */
async function writeClipboard(text: string): Promise<void> {
  if (navigator.clipboard !== undefined) return navigator.clipboard.writeText(text);
  const area = document.createElement("textarea");
  area.value = text;
  area.className = "unseen";
  document.body.append(area);
  area.select();
  document.execCommand("copy");
  area.remove();
}

/** A command to copy, on one line that scrolls. */
export const Command = ({ text, what }: { readonly text: string; readonly what: string }) => (
  <div class="command">
    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
    <code tabIndex={0}>{text}</code>
    <CopyButton text={text} what={what} />
  </div>
);
