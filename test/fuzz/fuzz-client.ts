import { once } from "node:events";
import { Agent, type IncomingMessage, request } from "node:http";
import type { FuzzRequest } from "./fuzz-request.js";
import { ID_MARKS } from "./hints.js";
import type { Answer } from "./judge.js";

const DEADLINE_MS = 60_000;

/** Sends requests, and remembers the ids in the answers for later requests. */
export class FuzzClient {
  readonly #url: URL;
  readonly #agent = new Agent({ keepAlive: true });
  readonly #ids = new Map<string, string>();

  constructor(url: string) {
    this.#url = new URL(url);
  }

  /** Undefined when the client left before the answer. Throws when no answer comes within a minute. */
  async send(made: FuzzRequest): Promise<Answer | undefined> {
    const { hostname, port } = this.#url;
    const { method } = made.operation;
    const body = made.body === undefined ? undefined : this.#fill(made.body);
    const headers = { ...made.headers, ...(body !== undefined && { "content-length": String(body.length) }) };
    const path = this.#fill(Buffer.from(made.path)).toString();
    const outgoing = request({ hostname, port, method, path, headers, agent: this.#agent });
    outgoing.setTimeout(DEADLINE_MS, () => outgoing.destroy(new Error(`no answer within ${DEADLINE_MS} ms`)));
    outgoing.end(body);
    if (made.leaves === "at once") {
      outgoing.on("error", () => {});
      setImmediate(() => outgoing.destroy());
      await new Promise((resolve) => outgoing.once("close", resolve));
      return undefined;
    }
    const [response] = (await once(outgoing, "response")) as [IncomingMessage];
    return this.#read(response, made.leaves === "at first bytes");
  }

  close(): void {
    this.#agent.destroy();
  }

  async #read(response: IncomingMessage, leaves: boolean): Promise<Answer> {
    const parts: Buffer[] = [];
    try {
      for await (const part of response) {
        parts.push(part as Buffer);
        if (leaves) break;
      }
    } catch (error) {
      if (!leaves) throw error;
    }
    const body = Buffer.concat(parts).toString("utf8");
    this.#remember(body, response.headers["content-location"]);
    const contentType = response.headers["content-type"] ?? "";
    return { status: response.statusCode ?? 0, contentType, body, cut: leaves };
  }

  #remember(body: string, location: string | undefined): void {
    const [file] = /\bfile-[0-9a-f]{24}\b/.exec(body) ?? [];
    const [batch] = /\bbatch_[0-9a-f]{24}\b/.exec(body) ?? [];
    const [response] = /\bresp_[0-9a-f]{32}\b/.exec(body) ?? [];
    const stream = location?.split("/").at(-1);
    if (file !== undefined) this.#ids.set(ID_MARKS.file, file);
    if (batch !== undefined) this.#ids.set(ID_MARKS.batch, batch);
    if (response !== undefined) this.#ids.set(ID_MARKS.response, response);
    if (stream !== undefined) this.#ids.set(ID_MARKS.stream, stream);
  }

  /** Replaces marks by ids. Bytes that are not UTF-8 stay as they are. */
  #fill(bytes: Buffer): Buffer {
    let text = bytes.toString("latin1");
    for (const [mark, id] of this.#ids) text = text.replaceAll(mark, id);
    return Buffer.from(text, "latin1");
  }
}
