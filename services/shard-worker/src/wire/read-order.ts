import type { GgmlType } from "@rhone/ggml";
import type { ShardRange } from "@rhone/model";
import type { rhone } from "@rhone/proto";
import type { WantedModel } from "@rhone/weights";
import { inRange, refuse } from "./malformed.js";
import { activationTypeOf, kvTypeOf } from "./tensor-types.js";

/** Others are of no use: a load reads from all of them at once. */
const MOST_SOURCES = 16;

/** A part of a model. */
export interface WeightsOrder {
  readonly model: WantedModel;
  /** Layers [first, last), and whether the embedding and the head are with them. */
  readonly range: ShardRange;
}

/** What a worker is told to load. */
export interface LoadOrder extends WeightsOrder {
  readonly pages: number;
  /** Positions per page. */
  readonly pageSize: number;
  readonly kvType: GgmlType;
  /** Positions that a token sees, itself included; 0 without a window. */
  readonly slidingWindow: number;
  /** Most rows of one step. */
  readonly maxRows: number;
}

/** The epoch that a worker is told to take part in. */
export interface EpochOrder {
  readonly pipeline: string;
  readonly epoch: number;
  readonly stage: number;
  /** host:port of the downstream neighbour. */
  readonly next: string;
  /** Id of the worker there; "" = it is the coordinator. */
  readonly nextWorker: string;
  /** Id of the worker that sends frames to this stage; "" = the coordinator does. */
  readonly upstream: string;
  /** Type of the activations that the downstream neighbour expects. */
  readonly activations: GgmlType;
  /** Null: frames go straight to the neighbour. */
  readonly detour: Detour | null;
}

/** Frames go over the coordinator, at host:port. The direct way counts once it has been open for `provenMs`. */
export interface Detour {
  readonly by: string;
  readonly provenMs: number;
}

/** Throws MESSAGE_MALFORMED, naming the field. */
export function readLoad(load: rhone.v1.LoadShard.$Properties): LoadOrder {
  return {
    model: readModel(load.model, "load"),
    range: readRange(load, "load"),
    pages: inRange(load.pages ?? 0, "load.pages", { least: 1 }),
    pageSize: inRange(load.pageSize ?? 0, "load.page_size", { least: 1 }),
    kvType: kvTypeOf(load.kvType ?? 0, "load.kv_type"),
    slidingWindow: load.slidingWindow ?? 0,
    maxRows: inRange(load.maxRows ?? 0, "load.max_rows", { least: 1 }),
  };
}

/** Throws MESSAGE_MALFORMED, naming the field. */
export function readSpares({ model, layers }: rhone.v1.HoldSpares.$Properties): readonly WeightsOrder[] {
  return (layers ?? []).map((range) => ({ model: readModel(model, "spares"), range: readRange(range, "spares") }));
}

function readModel(model: rhone.v1.ModelRef.$Properties | null | undefined, order: string): WantedModel {
  const { name, path, fingerprint, stamp, origin, sources } = model ?? {};
  return {
    name: name ?? "",
    path: path || refuse(`${order}.model.path`, "is empty"),
    fingerprint: fingerprint || refuse(`${order}.model.fingerprint`, "is empty"),
    stamp: stamp ?? "",
    origin: origin ?? "",
    sources: (sources ?? []).slice(0, MOST_SOURCES),
  };
}

function readRange(
  { firstLayer, lastLayer, embeds, heads }: rhone.v1.LayerRange.$Properties,
  order: string,
): ShardRange {
  const [first, last] = [firstLayer ?? 0, lastLayer ?? 0];
  if (last <= first) refuse(`${order}.last_layer`, `is ${last}; layers [${first}, ${last}) are none`);
  return { first, last, embeds: embeds ?? false, heads: heads ?? false };
}

/** Throws MESSAGE_MALFORMED, naming the field. */
export function readEpoch(order: rhone.v1.OpenEpoch.$Properties): EpochOrder {
  return {
    pipeline: order.pipeline ?? "",
    epoch: order.epoch ?? 0,
    stage: order.stage ?? 0,
    next: order.next || refuse("epoch.next", "is empty"),
    nextWorker: order.nextWorker ?? "",
    upstream: order.upstream ?? "",
    activations: activationTypeOf(order.activationType ?? 0, "epoch.activation_type"),
    detour: order.detour == null ? null : readDetour(order.detour),
  };
}

const readDetour = ({ by, provenMs }: rhone.v1.Detour.$Properties): Detour => ({
  by: by || refuse("epoch.detour.by", "is empty"),
  provenMs: provenMs ?? 0,
});
