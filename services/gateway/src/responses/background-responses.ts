import { randomUUID } from "node:crypto";
import {
  type ErrorCode,
  type GenerationJob,
  type Logger,
  type RhoneError,
  type Tracing,
  toRhoneError,
} from "@rhone/common";
import type { RateLimits } from "../admission/rate-limits.js";
import { TokenAccount } from "../admission/token-account.js";
import type { AnswerRoom, HeldAnswer } from "../answers/answer-room.js";
import { failedWith } from "../answers/response-object.js";
import { addressesOf, type StreamRecord } from "../answers/stream-records.js";
import type { Writer } from "../answers/writer.js";
import { openWriter } from "../answers/writer-record.js";
import type { BatchLease, Lease } from "../batches/batch-lease.js";
import { OwnerTurns } from "../batches/owner-turns.js";
import { OUTAGES } from "../batches/run-line.js";
import type { Metrics } from "../metrics.js";
import { ModelWatch } from "../models/model-watch.js";
import type { ServedModels } from "../models/served-models.js";
import type { GenerationClient } from "../queue/generation-client.js";
import { traceGeneration } from "../requests/generation-span.js";
import { LostJobs } from "../requests/lost-jobs.js";
import { lineMetrics } from "../requests/run-observers.js";
import { following, generating, runRequest } from "../requests/run-request.js";
import { Sweeper } from "../sweeper.js";
import { timeLeft } from "../turns.js";
import { endedResponse } from "./keep-response.js";
import type { OpenResponse, OpenResponses } from "./open-responses.js";
import { begunAgain, isOver, type ResponseRecord } from "./response-record.js";
import type { ResponseStore } from "./response-store.js";

const LEASE_MS = 9000;
/** Between two looks for responses that no gateway follows. */
const SWEEP_MS = 2000;
/** Before a response is tried again that the queue had no room for. */
const RETRY_MS = 5000;

type HeldLease = Pick<BatchLease, "lost" | "release">;

/** What following responses to their end takes. */
export interface BackgroundUse {
  readonly responses: ResponseStore;
  readonly openResponses: OpenResponses;
  readonly client: GenerationClient;
  readonly answers: AnswerRoom;
  readonly limits: Pick<RateLimits, "settle">;
  readonly models: Pick<ServedModels, "find" | "findReady" | "textOfRecord">;
  readonly metrics: Metrics;
  readonly gatewayId: string;
  /** Takes the lease of a response; null: another gateway has it. Rejects when Redis can't be reached. */
  readonly takeLease: (lease: Lease) => Promise<HeldLease | null>;
  readonly backgroundAtOnce: number;
  readonly tracing: Tracing;
  /** Whether a response gets a line in the log at its end. */
  readonly requestLog: boolean;
  readonly logger: Logger;
}

interface FollowedRun {
  readonly held: HeldAnswer;
  /** Aborted when the response is left to another gateway. */
  readonly handover: AbortSignal;
}

/** The job has not run, or runs on: it is submitted or read again under the same id. */
const NOT_YET: ReadonlySet<ErrorCode> = new Set(["QUEUE_FULL", "GATEWAY_BUSY", "REDIS_UNAVAILABLE"]);

/**
 * Follows responses to their end that no client waits for, and keeps them. A gateway has each by a lease; when it dies,
 * another one goes on, from the token log or by submitting the same job. Owners take turns.
 */
export class BackgroundResponses {
  readonly #uses: BackgroundUse;
  readonly #name: string;
  readonly #sweeper: Sweeper;
  readonly #running = new Map<string, Promise<void>>();
  readonly #notBeforeMs = new Map<string, number>();
  readonly #turns = new OwnerTurns();

  constructor(uses: BackgroundUse) {
    this.#uses = uses;
    this.#name = `${uses.gatewayId}-${randomUUID()}`;
    this.#sweeper = new Sweeper({
      look: () => this.#sweep(),
      pauseMs: () => SWEEP_MS,
      failed: (err) => uses.logger.warn({ err }, "search for responses failed, trying again"),
    });
  }

  start(): void {
    this.#uses.openResponses.whenAdded(() => this.#sweeper.wake());
    this.#sweeper.start();
  }

  /** Leaves the responses to another gateway, or to this one when it starts again. */
  async close(): Promise<void> {
    await this.#sweeper.close();
    await Promise.all(this.#running.values());
  }

  async #sweep(): Promise<void> {
    if (!this.#hasRoom()) return;
    const open = await this.#uses.openResponses.all();
    const ids = new Set(open.map(({ id }) => id));
    for (const id of this.#notBeforeMs.keys()) if (!ids.has(id)) this.#notBeforeMs.delete(id);
    let waiting = open.filter(
      ({ id }) => !this.#running.has(id) && performance.now() >= (this.#notBeforeMs.get(id) ?? 0),
    );
    while (this.#hasRoom()) {
      const next = this.#turns.next(waiting, () => true);
      if (next === undefined) return;
      if (await this.#take(next)) this.#turns.hadTurn(next.owner);
      waiting = waiting.filter((one) => one !== next);
    }
  }

  #hasRoom(): boolean {
    return this.#running.size < this.#uses.backgroundAtOnce && !this.#sweeper.closing.aborted;
  }

  /** Whether this gateway follows it now. */
  async #take(open: OpenResponse): Promise<boolean> {
    const lease = await this.#takeLease(open.id);
    if (lease === null) return false;
    const running = this.#run(open, lease).finally(() => {
      const wasFull = !this.#hasRoom();
      this.#running.delete(open.id);
      if (wasFull) this.#sweeper.wake();
    });
    this.#running.set(open.id, running);
    return true;
  }

  /** Never rejects. */
  async #run({ id, owner }: OpenResponse, lease: HeldLease): Promise<void> {
    const { openResponses, logger } = this.#uses;
    const handover = AbortSignal.any([lease.lost, this.#sweeper.closing]);
    try {
      if (await this.#follow(id, owner, handover)) await openResponses.remove(id, owner);
    } catch (err) {
      this.#notBeforeMs.set(id, performance.now() + RETRY_MS);
      if (handover.aborted) logger.info({ id }, "response left to the next gateway");
      else logger.warn({ err, id }, "response interrupted, trying again");
    }
    await this.#release(id, lease);
  }

  /** Whether the response is over, or gone. Throws when it must be tried again. */
  async #follow(id: string, owner: string, handover: AbortSignal): Promise<boolean> {
    const { responses, answers } = this.#uses;
    const found = await responses.find(id, { owner, leaving: handover });
    const { record, characters = 0 } = found ?? {};
    if (record?.generation === undefined || isOver(record)) return true;
    const { generation } = record;
    const bytes = (generation.answerBytes ?? 0) + 2 * characters;
    try {
      await this.#watched(generation, handover, async (leaving) => {
        const asked = { bytes, lane: "batch", owner, deadlineAtMs: generation.deadlineAtMs } as const;
        const held = await answers.take(asked, leaving);
        await this.#finish({ ...record, generation }, { held, handover: leaving }).finally(() => held.release());
      });
    } catch (error) {
      handover.throwIfAborted();
      const named = toRhoneError(error);
      // Another gateway may have a model that this one lacks.
      const isLater = named.row.retryable || named.code === "MODEL_NOT_FOUND";
      if (isLater && Date.now() < generation.deadlineAtMs) throw error;
      const { job: _, ...rest } = record;
      await this.#end({ ...rest, response: { ...record.response, ...failedWith(named) } }, named, 0);
    }
    return true;
  }

  /** Runs `body` while the model is served: a response that waits for a lost one leaves its place to others. */
  async #watched(
    { writer }: StreamRecord,
    handover: AbortSignal,
    body: (leaving: AbortSignal) => Promise<void>,
  ): Promise<void> {
    const watch = await ModelWatch.open(this.#uses.models, writer.options.modelName);
    await body(AbortSignal.any([handover, watch.lost])).finally(() => watch.close());
  }

  /**
   * Keeps a response that is over, then gives back what it did not use of its key's tokens: a crash between gives back
   * nothing rather than twice. One that was cancelled stays so, as its client was told.
   */
  async #end(record: ResponseRecord, outcome: "ok" | RhoneError, used: number): Promise<void> {
    const { responses, limits, metrics, logger, requestLog } = this.#uses;
    const { reserved, ...ended } = record;
    const cancelled = { ...ended.response, status: "cancelled" as const, error: null, incomplete_details: null };
    await responses.save((await this.#isCancelled(record)) ? { ...ended, response: cancelled } : ended);
    if (reserved !== undefined) await limits.settle(record.owner, reserved, used);
    if (!record.response.background) return;
    const labels = { model_name: record.generation?.writer.options.modelName ?? "", route: "responses" };
    metrics.requests.inc({ ...labels, outcome: nameOf(outcome) });
    const about = { id: record.response.id, key: record.owner, tokens: used, outcome: nameOf(outcome) };
    if (requestLog) logger.info(about, "response ended");
  }

  /** Whether it was cancelled since its record was read. */
  async #isCancelled({ response: { id }, owner }: ResponseRecord): Promise<boolean> {
    const found = await this.#uses.responses.find(id, { owner });
    return found?.record.response.status === "cancelled";
  }

  async #finish(
    { job, generation, attempt, ...record }: ResponseRecord & { readonly generation: StreamRecord },
    run: FollowedRun,
  ): Promise<void> {
    const { responses, models } = this.#uses;
    const model = await models.textOfRecord(generation.writer.options.modelName);
    const writer = openWriter(generation.writer, model);
    const account = new TokenAccount({
      reservation: null,
      jobs: job === undefined ? [] : [job],
      detached: () => false,
    });
    const outcome = await this.#takeAll({ job, generation }, { writer, account, ...run });
    if (outcome !== "ok" && Date.now() < generation.deadlineAtMs) {
      if (NOT_YET.has(outcome.code)) throw outcome;
      if (attempt !== undefined && OUTAGES.has(outcome.code) && !(await this.#isCancelled(record))) {
        await responses.save(begunAgain({ ...record, generation, attempt, ...(job !== undefined && { job }) }));
        throw outcome;
      }
    }
    const response = await endedResponse(writer, outcome);
    await this.#end({ ...record, generation, response }, outcome, account.used(nameOf(outcome)));
  }

  /** Takes in the events. Returns why they ended. Throws when the response is left to the next gateway. */
  async #takeAll(
    { job, generation }: { readonly job: GenerationJob | undefined; readonly generation: StreamRecord },
    { writer, account, held, handover }: FollowedRun & { readonly writer: Writer; readonly account: TokenAccount },
  ): Promise<"ok" | RhoneError> {
    const { client, metrics, gatewayId, tracing } = this.#uses;
    const span = job?.trace && tracing.begin("background response", { parent: job.trace });
    const asked = job === undefined ? [] : [{ ...job, replyTo: gatewayId }];
    const { jobs, observers: tracers } = traceGeneration(span, { jobs: asked, stream: false, writer });
    const source =
      job === undefined ? following(client, generation) : generating(client, { jobs, detached: () => true });
    const lost = job === undefined ? new LostJobs(client, addressesOf(generation)) : null;
    const observers =
      lost === null ? [...tracers, held, account, lineMetrics(metrics, { jobs, writer })] : [held, lost];
    const leaving = lost === null ? handover : AbortSignal.any([handover, lost.lost]);
    try {
      for await (const event of runRequest({ ...source, leaving, observers })) {
        writer.take(event, "whole");
        await timeLeft();
      }
      return "ok";
    } catch (error) {
      handover.throwIfAborted();
      const named = toRhoneError(error);
      if (named.code === "INTERNAL") this.#uses.logger.error({ err: error, id: job?.requestId }, "response failed");
      return named;
    } finally {
      span?.end();
    }
  }

  /** Ends the generation of a response that runs, and keeps what there is of it. Throws REDIS_UNAVAILABLE. */
  async cancel({ job: _, ...record }: ResponseRecord): Promise<ResponseRecord> {
    const cancelled = { ...record, response: { ...record.response, status: "cancelled" as const } };
    const { responses, openResponses, client } = this.#uses;
    await responses.save(cancelled);
    const { generation, owner } = record;
    const { id } = record.response;
    if (generation !== undefined) await Promise.all(addressesOf(generation).map((each) => client.cancel(each)));
    if (!this.#running.has(id)) {
      await this.#giveBackUnused(record);
      await openResponses.remove(id, owner);
    }
    return cancelled;
  }

  /** All that was reserved for a response that nobody follows and that has no token: it never began. */
  async #giveBackUnused({ response: { id }, owner, generation, reserved }: ResponseRecord): Promise<void> {
    const { client, limits } = this.#uses;
    const [job] = generation === undefined ? [] : addressesOf(generation);
    if (reserved === undefined || job === undefined) return;
    const lease = await this.#takeLease(id).catch(() => null);
    if (lease === null) return;
    if ((await client.logLength(job).catch(() => 1)) === 0) await limits.settle(owner, reserved, 0);
    await this.#release(id, lease);
  }

  /** null: another gateway follows it. */
  #takeLease(id: string): Promise<HeldLease | null> {
    return this.#uses.takeLease({ id, owner: this.#name, leaseMs: LEASE_MS });
  }

  async #release(id: string, lease: HeldLease): Promise<void> {
    await lease.release().catch((err: unknown) => this.#uses.logger.warn({ err, id }, "lease not released"));
  }
}

/** As the metrics name it. */
const nameOf = (outcome: "ok" | RhoneError): string => (outcome === "ok" ? "ok" : outcome.code.toLowerCase());
