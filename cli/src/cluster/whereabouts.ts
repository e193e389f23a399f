import { fetchStatus } from "@rhone/client";
import type { ClusterStatus, JoinablePipeline, Places } from "@rhone/common";
import { isTemplateFile } from "@rhone/model";
import type { ClusterOptions } from "../launch/cluster-options.js";

const STATUS_MS = 2000;
/** Pipelines in one answer; see `placesSchema`. */
const MOST_TOLD = 64;

export interface WhereaboutsOptions extends Pick<ClusterOptions, "chatTemplate"> {
  /** For the gateway, which may not be up yet. */
  readonly secret: () => string | undefined;
}

/** What joiners are told: where the pipelines are, and Redis. */
export class Whereabouts {
  /** This machine's. */
  own: readonly JoinablePipeline[] = [];
  gateway: string | undefined;
  redis: string | undefined;
  readonly #options: WhereaboutsOptions;

  constructor(options: WhereaboutsOptions) {
    this.#options = options;
  }

  async places(): Promise<Places> {
    const { chatTemplate } = this.#options;
    const seen = await this.#seen();
    return {
      pipelines: (seen.length === 0 ? this.own : seen).slice(0, MOST_TOLD),
      ...(this.redis !== undefined && { redis: this.redis }),
      hasTemplateFile: chatTemplate !== undefined && isTemplateFile(chatTemplate),
    };
  }

  /** All that publish their status; none while the gateway does not answer. */
  async #seen(): Promise<readonly JoinablePipeline[]> {
    if (this.gateway === undefined) return [];
    const access = { apiKey: undefined, clusterSecret: this.#options.secret(), signal: AbortSignal.timeout(STATUS_MS) };
    const coordinators: readonly ClusterStatus[] = await fetchStatus(this.gateway, access).then(
      (status) => status.coordinators,
      () => [],
    );
    const pipelines = coordinators.flatMap((status) => this.#joinable(status) ?? []);
    return pipelines.toSorted((a, b) => this.#rank(a) - this.#rank(b));
  }

  #joinable({ address = "", model, workers, ...status }: ClusterStatus): JoinablePipeline | null {
    const { kvType, activationType, simulated } = status;
    if (address === "" || activationType === undefined) return null;
    const { chatTemplate } = this.own.find((pipeline) => pipeline.model === model.name) ?? {};
    return {
      model: model.name,
      coordinator: address,
      workers: workers.length,
      ...(chatTemplate !== undefined && { chatTemplate }),
      serving: {
        slidingWindow: model.slidingWindow ?? 0,
        context: model.contextLength,
        kvType,
        activationType,
        simulated,
      },
    };
  }

  /** This machine's, which have the models' files, come first, and the model of requests that name none before all. */
  #rank({ model, coordinator }: JoinablePipeline): number {
    const own = this.own.findIndex((pipeline) => pipeline.coordinator === coordinator);
    if (own >= 0) return own;
    const replicated = this.own.findIndex((pipeline) => pipeline.model === model);
    return this.own.length * (replicated < 0 ? 2 : 1) + replicated;
  }
}
