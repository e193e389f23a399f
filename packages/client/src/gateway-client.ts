import { askGateway, type GatewayInit, gatewayFailure } from "./ask-gateway.js";

/** A gateway, and who asks it until when. */
export interface GatewayAccess {
  readonly url: string;
  readonly apiKey: string | undefined;
  readonly signal: AbortSignal;
}

export type AskInit = Omit<GatewayInit, "signal" | "apiKey">;

/** Asks a gateway for `/path`. Throws the gateway's own errors, and NOT_RUNNING when no gateway answers. */
export type Ask = (path: string, init?: AskInit) => Promise<Response>;

export function askOf({ url, ...access }: GatewayAccess): Ask {
  const root = url.replace(/\/+$/, "");
  return async (path, init = {}) => {
    const response = await askGateway(root + path, { ...init, ...access });
    if (response.ok) return response;
    throw gatewayFailure(await response.text(), response.status);
  };
}

/** Part of a list, newest first. */
export interface Page<T> {
  readonly data: readonly T[];
  /** Whether more come after the last one. */
  readonly hasMore: boolean;
}

export interface PageQuery {
  /** The id of the one before the page; absent: the page begins with the newest. */
  readonly after?: string | undefined;
  readonly limit: number;
}

export function pageSearch({ after, limit }: PageQuery): string {
  return String(new URLSearchParams({ limit: String(limit), ...(after !== undefined && { after }) }));
}
