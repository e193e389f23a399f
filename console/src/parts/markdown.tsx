import { lexer, type Token, type Tokens } from "marked";
import type { ComponentChildren } from "preact";
import { useMemo, useRef } from "preact/hooks";
import { CopyButton } from "./copy.tsx";

/** Deeper parts are shown as they are written: a model that repeats itself nests quotes and lists without end. */
const DEEPEST = 12;
/** Reading may take the square of a text's length, and is done again for each chunk. */
const LONGEST_MS = 250;

/**
 * Markdown as elements, made one by one: no text becomes HTML. Links lead only to the web, and open elsewhere; images
 * are links, as the page asks no other server for anything. What can't be read in time is shown as it is.
 */
export function Markdown({ text }: { readonly text: string }) {
  const isCostly = useRef(false);
  const tokens = useMemo(() => {
    if (isCostly.current) return null;
    const startedAt = performance.now();
    const read = tokensOf(text);
    isCostly.current = performance.now() - startedAt > LONGEST_MS;
    return read;
  }, [text]);
  if (tokens === null) return <p class="asked">{text}</p>;
  return <div class="markdown">{blocks(tokens, 0)}</div>;
}

/** null: it nests too deep to be read at all. */
function tokensOf(text: string): readonly Token[] | null {
  try {
    return lexer(text);
  } catch {
    return null;
  }
}

const asWritten = (tokens: readonly Token[]): string => tokens.map(({ raw }) => raw).join("");

const blocks = (tokens: readonly Token[], depth: number): ComponentChildren =>
  depth > DEEPEST ? <p>{asWritten(tokens)}</p> : tokens.map((token, at) => block(token, at, depth));

function block(token: Token, at: number, depth: number): ComponentChildren {
  switch (token.type) {
    case "space":
    case "def":
      return null;
    case "heading":
      return (
        <p key={at} class="markdown-heading">
          {inline(childrenOf(token))}
        </p>
      );
    case "paragraph":
      return <p key={at}>{inline(childrenOf(token))}</p>;
    case "code":
      return <Code key={at} {...(token as Tokens.Code)} />;
    case "blockquote":
      return <blockquote key={at}>{blocks(childrenOf(token), depth + 1)}</blockquote>;
    case "list": {
      const { ordered, start, items } = token as Tokens.List;
      const children = items.map((item, index) => <li key={index}>{blocks(item.tokens, depth + 1)}</li>);
      return ordered ? (
        <ol key={at} start={start === "" ? 1 : start}>
          {children}
        </ol>
      ) : (
        <ul key={at}>{children}</ul>
      );
    }
    case "table":
      return <Table key={at} {...(token as Tokens.Table)} />;
    case "hr":
      return <hr key={at} />;
    case "text":
      return <span key={at}>{inline(childrenOf(token))}</span>;
    default:
      return <p key={at}>{token.raw}</p>;
  }
}

/** A text's parts; itself where it has none. */
function childrenOf(token: Token): readonly Token[] {
  const { tokens } = token as { readonly tokens?: readonly Token[] };
  return tokens ?? [{ type: "escape", raw: token.raw, text: (token as Tokens.Text).text } as Tokens.Escape];
}

const inline = (tokens: readonly Token[], depth = 0): ComponentChildren =>
  depth > DEEPEST ? asWritten(tokens) : tokens.map((token, at) => span(token, at, depth));

function span(token: Token, at: number, depth: number): ComponentChildren {
  const within = () => inline(childrenOf(token), depth + 1);
  switch (token.type) {
    case "strong":
      return <strong key={at}>{within()}</strong>;
    case "em":
      return <em key={at}>{within()}</em>;
    case "del":
      return <del key={at}>{within()}</del>;
    case "codespan":
      return <code key={at}>{(token as Tokens.Codespan).text}</code>;
    case "br":
      return <br key={at} />;
    case "link":
    case "image": {
      const { href, text } = token as Tokens.Link;
      if (!/^https?:\/\//.test(href)) return token.raw;
      return (
        <a key={at} href={href} target="_blank" rel="noopener noreferrer">
          {token.type === "link" ? within() : text || href}
        </a>
      );
    }
    case "text":
      return "tokens" in token && token.tokens !== undefined ? within() : (token as Tokens.Text).text;
    case "escape":
      return (token as Tokens.Escape).text;
    default:
      return token.raw;
  }
}

const Code = ({ text, lang }: Tokens.Code) => (
  <figure class="code">
    <figcaption>
      <span>{lang ?? ""}</span>
      <CopyButton text={text} what="the code" />
    </figcaption>
    {/* biome-ignore lint/a11y/noNoninteractiveTabindex: the keyboard scrolls it */}
    <pre tabIndex={0}>
      <code>{text}</code>
    </pre>
  </figure>
);

const Table = ({ header, rows }: Tokens.Table) => (
  <table class="table">
    <thead>
      <tr>
        {header.map((cell, at) => (
          <th key={at} scope="col">
            {inline(cell.tokens)}
          </th>
        ))}
      </tr>
    </thead>
    <tbody>
      {rows.map((row, at) => (
        <tr key={at}>
          {row.map((cell, column) => (
            <td key={column}>{inline(cell.tokens)}</td>
          ))}
        </tr>
      ))}
    </tbody>
  </table>
);
