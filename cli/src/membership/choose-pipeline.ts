import { type JoinablePipeline, type Places, RhoneError } from "@rhone/common";

export interface PipelineWish {
  /** host:port where the cluster admits machines, for messages. */
  readonly door: string;
  /** Undefined: any. */
  readonly model: string | undefined;
  /** host:port of the coordinator that it had the last time. */
  readonly last: string | undefined;
}

/**
 * The pipeline that a machine joins: the one that it was in, else the one with the fewest workers. Throws NO_PIPELINE
 * where there is none, and MODEL_NOT_FOUND with the models that there are.
 */
export function choosePipeline({ pipelines }: Places, { door, model, last }: PipelineWish): JoinablePipeline {
  if (pipelines.length === 0) {
    throw new RhoneError("NO_PIPELINE", `The cluster at ${door} has no coordinator now. Try again when it is up.`);
  }
  const serving = pipelines.filter((pipeline) => model === undefined || pipeline.model === model);
  const [fewest] = serving.toSorted((a, b) => a.workers - b.workers);
  if (fewest === undefined) {
    const names = [...new Set(pipelines.map((pipeline) => pipeline.model))].join(", ");
    throw new RhoneError("MODEL_NOT_FOUND", `The cluster at ${door} does not serve ${model}; it has ${names}.`);
  }
  return serving.find(({ coordinator }) => coordinator === last) ?? fewest;
}
