import { lexer, type Token, type Tokens } from "marked";
import type { ComponentChildren } from "preact";
import { CopyButton } from "./copy.tsx";

/**
 * Markdown as elements, made one by one: no text becomes HTML. Links lead only to the web, and open elsewhere; images
 * are links, as the page asks no other server for anything.
 */
export const Markdown = ({ text }: { readonly text: string }) => <div class="markdown">{blocks(lexer(text))}</div>;

const blocks = (tokens: readonly Token[]): ComponentChildren => tokens.map((token, at) => block(token, at));

function block(token: Token, at: number): ComponentChildren {
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
      return <blockquote key={at}>{blocks(childrenOf(token))}</blockquote>;
    case "list": {
      const { ordered, start, items } = token as Tokens.List;
      const children = items.map((item, index) => <li key={index}>{blocks(item.tokens)}</li>);
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

const inline = (tokens: readonly Token[]): ComponentChildren => tokens.map((token, at) => span(token, at));

function span(token: Token, at: number): ComponentChildren {
  switch (token.type) {
    case "strong":
      return <strong key={at}>{inline(childrenOf(token))}</strong>;
    case "em":
      return <em key={at}>{inline(childrenOf(token))}</em>;
    case "del":
      return <del key={at}>{inline(childrenOf(token))}</del>;
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
          {token.type === "link" ? inline(childrenOf(token)) : text || href}
        </a>
      );
    }
    case "text":
      return "tokens" in token && token.tokens !== undefined ? inline(token.tokens) : (token as Tokens.Text).text;
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
