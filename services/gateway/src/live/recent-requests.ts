import { type RecentRequest, requestOfChoice } from "@rhone/common";
import type { Writer } from "../answers/writer.js";
import type { PreparedRequest } from "../requests/prepare.js";
import type { RunObserver } from "../requests/run-request.js";

/** Requests that are kept, the newest, whether or not they have ended. */
const MOST = 200;
/** Of times to first token that wait to be asked for. */
const MOST_FIRST = 1000;

/** Who looks, and what they have seen. */
export interface RequestsReader {
  readonly owner: string;
  /** Sees those of all owners. */
  readonly isAdmin: boolean;
}

interface Kept {
  readonly about: Omit<
    RecentRequest,
    "state" | "decodeMs" | "cachedTokens" | "completionTokens" | "firstTokenMs" | "queuedMs"
  >;
  readonly usage: Writer["usage"];
  readonly beganAt: number;
  state: string;
  firstAt: number | null;
  endedAt: number | null;
  tokens: number;
  queuedMs: number | null;
  /** Of the last change. */
  version: number;
}

export interface ObservedRequest extends Pick<PreparedRequest, "jobs" | "stream" | "resumable"> {
  /** As the metrics name the endpoint. */
  readonly route: string;
  readonly usage: Writer["usage"];
}

/** The last requests of this gateway, and how long each phase of them took. Keeps no text and no token. */
export class RecentRequests {
  readonly #kept = new Map<string, Kept>();
  readonly #now: () => number;
  #version = 0;
  #firstTokens: number[] = [];

  /** `now`: milliseconds of a monotonic clock. */
  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** The number of the last change. */
  get version(): number {
    return this.#version;
  }

  get running(): number {
    return [...this.#kept.values()].filter(({ endedAt }) => endedAt === null).length;
  }

  /** Follows a request from where it is let in. */
  observer(request: ObservedRequest): RunObserver {
    let kept: Kept | undefined;
    return {
      began: () => {
        kept = this.#keep(request);
      },
      took: ({ tokens, timings }) => {
        if (kept === undefined) return;
        kept.queuedMs ??= timings?.queuedMs ?? null;
        if (tokens.length === 0) return;
        if (kept.firstAt === null) this.#first(kept);
        kept.tokens += tokens.length;
        kept.version = ++this.#version;
      },
      ended: (outcome) => {
        if (kept === undefined) return;
        kept.state = outcome;
        kept.endedAt = this.#now();
        kept.version = ++this.#version;
      },
    };
  }

  /** Those that changed after `version`, the oldest first. */
  since(version: number, { owner, isAdmin }: RequestsReader): readonly RecentRequest[] {
    const changed = [...this.#kept.values()].filter((kept) => kept.version > version);
    return changed.filter(({ about }) => isAdmin || about.owner === owner).map((kept) => this.#shown(kept));
  }

  /** The times to first token, in milliseconds, since this was asked last. */
  takeFirstTokens(): readonly number[] {
    const taken = this.#firstTokens;
    this.#firstTokens = [];
    return taken;
  }

  #keep({ route, jobs, stream, resumable, usage }: ObservedRequest): Kept {
    const [first] = jobs;
    const id = requestOfChoice(first?.requestId ?? "");
    const now = Date.now();
    const arrivedAtMs = first?.arrivedAtMs ?? now;
    const kept: Kept = {
      about: {
        ...{ id, route, stream, resumable, arrivedAtMs },
        model: first?.model ?? "",
        owner: first?.keyId ?? "",
        choices: jobs.length,
        prepareMs: Math.max(0, now - arrivedAtMs),
        promptTokens: jobs.reduce((sum, { promptIds }) => sum + promptIds.length, 0),
      },
      ...{ usage, beganAt: this.#now(), state: "running", firstAt: null, endedAt: null, tokens: 0, queuedMs: null },
      version: ++this.#version,
    };
    this.#kept.set(id, kept);
    const [oldest] = this.#kept.keys();
    if (this.#kept.size > MOST && oldest !== undefined) this.#kept.delete(oldest);
    return kept;
  }

  #first(kept: Kept): void {
    kept.firstAt = this.#now();
    if (this.#firstTokens.length < MOST_FIRST)
      this.#firstTokens.push(kept.about.prepareMs + kept.firstAt - kept.beganAt);
  }

  #shown({ about, usage, beganAt, state, firstAt, endedAt, tokens, queuedMs }: Kept): RecentRequest {
    return {
      ...about,
      state,
      firstTokenMs: firstAt === null ? null : firstAt - beganAt,
      queuedMs,
      decodeMs: firstAt === null ? null : (endedAt ?? this.#now()) - firstAt,
      cachedTokens: endedAt === null ? null : usage.prompt_tokens_details.cached_tokens,
      completionTokens: tokens,
    };
  }
}
