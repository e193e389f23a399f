import { useEffect, useState } from "preact/hooks";
import { ask, problemOf } from "../../api/ask.ts";
import { serverEvents } from "../../api/server-events.ts";
import { Notice } from "../../parts/notice.tsx";

/** Reads an answer's stream again from its start, as far as it is, and on while it runs. */
export function ReadAgain({ id }: { readonly id: string }) {
  const [text, setText] = useState("");
  const [told, setTold] = useState("");
  useEffect(() => {
    const left = new AbortController();
    const read = async () => {
      const { body } = await ask(`/v1/streams/${id}`, { signal: left.signal });
      if (body === null) return;
      let whole = "";
      for await (const { data } of serverEvents(body)) {
        if (data === "[DONE]") return;
        whole += textOf(JSON.parse(data));
        setText(whole);
      }
    };
    read().catch((thrown: unknown) => {
      if (!left.signal.aborted) setTold(problemOf(thrown));
    });
    return () => left.abort();
  }, [id]);
  return (
    <>
      {told !== "" && <Notice tone="bad">{told}</Notice>}
      {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
      <pre class="read-again" tabIndex={0}>
        {text}
      </pre>
    </>
  );
}

interface AnyChunk {
  readonly choices?: readonly { readonly text?: string; readonly delta?: { readonly content?: string | null } }[];
  readonly delta?: string | { readonly text?: string };
  readonly error?: { readonly message: string };
}

/** What a chunk of any of the API's streams adds to the text of its first choice. Throws what it tells of a failure. */
export function textOf(chunk: unknown): string {
  const { choices, delta, error } = chunk as AnyChunk;
  if (error !== undefined) throw new Error(error.message);
  if (choices !== undefined) return choices[0]?.delta?.content ?? choices[0]?.text ?? "";
  return (typeof delta === "string" ? delta : delta?.text) ?? "";
}
