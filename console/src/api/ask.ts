import { credentials, refusal } from "./access.ts";

/** The page is at CONSOLE/, and the API beside it, also behind a proxy's prefix. */
const ROOT = new URL("..", document.baseURI);

/** A refusal in the gateway's words. */
export class Refused extends Error {
  readonly status: number;
  readonly code: string;

  constructor(status: number, code: string, message: string) {
    super(message);
    this.status = status;
    this.code = code;
  }
}

export interface Asked {
  readonly method?: "GET" | "POST" | "DELETE";
  /** Sent as JSON, or as it is if it is a form. */
  readonly body?: unknown;
  readonly headers?: Readonly<Record<string, string>>;
  readonly signal?: AbortSignal;
}

/** Asks the gateway. Throws Refused, and TypeError where it can't be reached. */
export async function ask(path: string, { method, body, headers = {}, signal }: Asked = {}): Promise<Response> {
  const isForm = body instanceof FormData;
  const isJson = body !== undefined && !isForm;
  const response = await fetch(new URL(path.replace(/^\//, ""), ROOT), {
    method: method ?? (body === undefined ? "GET" : "POST"),
    headers: { ...credentials(), ...(isJson && { "content-type": "application/json" }), ...headers },
    ...(isForm && { body }),
    ...(isJson && { body: JSON.stringify(body) }),
    signal: signal ?? null,
    cache: "no-store",
  });
  if (response.ok) return response;
  throw await refused(response);
}

/** The JSON of the answer. Throws as `ask`. */
export async function askJson<T>(path: string, asked?: Asked): Promise<T> {
  return (await ask(path, asked)).json() as Promise<T>;
}

async function refused(response: Response): Promise<Refused> {
  const body: unknown = await response.json().catch(() => null);
  const { error } = (body ?? {}) as { readonly error?: { readonly message?: string; readonly code?: string | null } };
  const message = error?.message ?? `The gateway answered ${response.status}.`;
  if (response.status === 401) refusal.value = message;
  return new Refused(response.status, error?.code ?? "", message);
}

/** What to say of something that was thrown. */
export function problemOf(thrown: unknown): string {
  if (thrown instanceof Refused) return thrown.message;
  if (thrown instanceof TypeError) return "The gateway can't be reached.";
  return thrown instanceof Error ? thrown.message : String(thrown);
}
