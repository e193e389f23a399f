import { type ClusterStatus, RhoneError } from "@rhone/common";
import type { GrammarBuilder } from "@rhone/grammar";
import type { ModelSummary } from "@rhone/model";
import type { ClusterState } from "../queue/cluster-state.js";
import type { TextModel } from "../text/text-model.js";
import { LatelyServed } from "./lately-served.js";

const WATCH_MS = 1000;

/** A model as its gateway has it. */
export interface GatewayModel {
  readonly text: TextModel;
  readonly grammars: Pick<GrammarBuilder, "build">;
  /** Reads what plans need of its file's header. Throws the errors of a damaged file. */
  readonly summary: () => Promise<Pick<ModelSummary, "config" | "weightBytes" | "nParameters">>;
}

/** A model with the coordinators that serve it, ready or not. */
export interface AskedModel extends GatewayModel {
  readonly coordinators: readonly ClusterStatus[];
}

/** A model with a coordinator to prepare a request by. */
export interface ReadyModel extends GatewayModel {
  readonly coordinator: ClusterStatus;
}

export interface ServedModelsOptions {
  /** How long after a model was served last its requests wait for a pipeline, in milliseconds; default: 0. */
  readonly waitMs?: number;
}

/** The models of which this gateway has the tokenizer. Requests name one; those that don't get the first. */
export class ServedModels {
  readonly #first: GatewayModel;
  readonly #models: readonly GatewayModel[];
  readonly #cluster: ClusterState;
  readonly #lately: LatelyServed;

  /** Throws INVALID_CONFIG for two models with a name in common. */
  constructor(
    [first, ...more]: readonly GatewayModel[],
    cluster: ClusterState,
    { waitMs = 0 }: ServedModelsOptions = {},
  ) {
    if (first === undefined) throw new RangeError("A gateway has a model");
    this.#first = first;
    this.#models = [first, ...more];
    this.#cluster = cluster;
    this.#lately = new LatelyServed(waitMs);
    checkDistinct(this.#models);
  }

  /**
   * The names under which coordinators serve their models, and those of this gateway's models that none of them serves,
   * without aliases.
   */
  namesAmong(coordinators: readonly ClusterStatus[]): readonly string[] {
    const served = new Set(coordinators.map((coordinator) => this.#modelOf(coordinator)));
    const others = this.#models.filter((model) => !served.has(model));
    return [...new Set([...coordinators.map(nameAt), ...others.map(({ text }) => text.name)])];
  }

  /** Throws REDIS_UNAVAILABLE. */
  async all(): Promise<readonly AskedModel[]> {
    const coordinators = await this.#cluster.coordinators();
    return this.#models.map((model) => this.#served(model, coordinators, model.text.name));
  }

  /** The model that a request asks for; undefined: the first. Throws MODEL_NOT_FOUND and REDIS_UNAVAILABLE. */
  async find(asked: string | undefined): Promise<AskedModel> {
    return this.#find(asked, await this.#cluster.coordinators());
  }

  /**
   * As `find`, with a coordinator that is ready, for a request that is to be computed: it waits for a Redis that does
   * not answer, and for a coordinator that was ready a moment ago. `owner` is the API key that waits. Throws
   * NO_PIPELINE, too.
   */
  async findReady(asked: string | undefined, owner: string): Promise<ReadyModel> {
    for (;;) {
      const found = this.#find(asked, await this.#cluster.coordinators({ patient: true }));
      try {
        return { ...found, coordinator: readyCoordinator(found) };
      } catch (error) {
        if (!(await this.#lately.wait(found.text.name, owner))) throw error;
      }
    }
  }

  /** Keeps in mind which models are served, until the returned function is called: a look each second. */
  watch(): () => void {
    const timer = setInterval(() => void this.all().catch(() => {}), WATCH_MS);
    return () => clearInterval(timer);
  }

  /** As `find`. Asks Redis only for names that coordinators alone have. */
  async textOf(asked: string | undefined): Promise<TextModel> {
    return (this.#own(asked) ?? (await this.find(asked))).text;
  }

  /** The model of an answer that was begun under this name, perhaps by another gateway. Throws as `find`. */
  async textOfRecord(name: string): Promise<TextModel> {
    return this.#models.length === 1 ? this.#first.text : this.textOf(name);
  }

  /** All names by which requests may ask. Throws REDIS_UNAVAILABLE. */
  async askable(): Promise<ReadonlySet<string>> {
    const all = await this.all();
    return new Set(all.flatMap(({ text, coordinators }) => [...namesOf(text), ...coordinators.map(nameAt)]));
  }

  #find(asked: string | undefined, coordinators: readonly ClusterStatus[]): AskedModel {
    const model = this.#own(asked) ?? this.#byCoordinator(asked, coordinators);
    if (model === undefined) throw this.#notFound(asked ?? "", coordinators);
    return this.#served(model, coordinators, asked ?? model.text.name);
  }

  #own(asked: string | undefined): GatewayModel | undefined {
    return asked === undefined ? this.#first : this.#models.find(({ text }) => namesOf(text).includes(asked));
  }

  #byCoordinator(asked: string | undefined, coordinators: readonly ClusterStatus[]): GatewayModel | undefined {
    const named = coordinators.filter((coordinator) => nameAt(coordinator) === asked);
    return this.#models.find((model) => named.some((coordinator) => this.#modelOf(coordinator) === model));
  }

  /** By name; one that a coordinator calls otherwise by its file. */
  #modelOf({ model: { name, fingerprint } }: ClusterStatus): GatewayModel | undefined {
    return this.#own(name) ?? this.#models.find(({ text }) => text.fingerprint === fingerprint);
  }

  /** The coordinators that call the model `asked` come first. */
  #served(model: GatewayModel, all: readonly ClusterStatus[], asked: string): AskedModel {
    const serving = all.filter((coordinator) => this.#modelOf(coordinator) === model);
    if (serving.some(({ state }) => state === "ready")) this.#lately.served(model.text.name);
    const isAsked = (coordinator: ClusterStatus) => nameAt(coordinator) === asked;
    return { ...model, coordinators: [...serving.filter(isAsked), ...serving.filter((one) => !isAsked(one))] };
  }

  #notFound(asked: string, coordinators: readonly ClusterStatus[]): RhoneError {
    const names = this.#models.flatMap(({ text }) => namesOf(text).map((name) => `\`${name}\``)).join(", ");
    const isElsewhere = coordinators.some((coordinator) => nameAt(coordinator) === asked);
    const why = isElsewhere ? "is served, but this gateway lacks its file (--models)" : "does not exist";
    return new RhoneError("MODEL_NOT_FOUND", `The model \`${asked}\` ${why}; this server has ${names}.`, {
      param: "model",
    });
  }
}

const namesOf = ({ name, aliases }: Pick<TextModel, "name" | "aliases">): readonly string[] => [name, ...aliases];

const nameAt = ({ model }: ClusterStatus): string => model.name;

function checkDistinct(models: readonly GatewayModel[]): void {
  const all = models.flatMap(({ text }) => [...new Set(namesOf(text))]);
  const twice = all.find((name, index) => all.indexOf(name) !== index);
  if (twice === undefined) return;
  throw new RhoneError("INVALID_CONFIG", `Two models are called ${twice}; give each a name of its own in --models.`);
}

/**
 * The coordinator to prepare a request by: of those that take the model's jobs the one with the shortest context, as
 * any of them may run it. Throws NO_PIPELINE with the reasons of those that don't.
 */
export function readyCoordinator({ text, coordinators }: Pick<AskedModel, "text" | "coordinators">): ClusterStatus {
  const [first, ...others] = coordinators.filter(({ state }) => state === "ready");
  if (first === undefined) throw notReady(text.name, coordinators);
  return others
    .filter((one) => nameAt(one) === nameAt(first))
    .reduce((least, one) => (one.model.contextLength < least.model.contextLength ? one : least), first);
}

function notReady(name: string, coordinators: readonly ClusterStatus[]): RhoneError {
  const reasons = coordinators.map(
    ({ coordinator, state, reason }) => `coordinator ${coordinator}: ${reason?.replace(/\.$/, "") ?? state}`,
  );
  const why = reasons.length === 0 ? "no coordinator is running" : reasons.join("; ");
  return new RhoneError("NO_PIPELINE", `The model ${name} is not ready (${why}); try again shortly.`);
}
