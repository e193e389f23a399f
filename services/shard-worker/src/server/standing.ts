import {
  type CoordinatorMessage,
  type PipelineState,
  pipelineStateSchema,
  preparingOf,
  type RhoneError,
  type WorkerMessage,
  type WorkerStanding,
} from "@rhone/common";

type Facts = Omit<WorkerStanding, "kind">;

const NOTHING = { preparing: null, loadedBytes: 0, totalBytes: 0 } as const;

/** Tells how far this worker is on its way into a pipeline, whenever that changes. */
export class Standing {
  readonly #tell: (standing: WorkerStanding) => void;
  #facts: Facts = {
    refusal: null,
    joined: false,
    loading: false,
    failure: "",
    ...NOTHING,
    pipeline: null,
  };

  constructor(tell: (standing: WorkerStanding) => void) {
    this.#tell = tell;
  }

  joined(): void {
    this.#change({ joined: true, refusal: null });
  }

  notJoined({ code, message }: Pick<RhoneError, "code" | "message">): void {
    this.#change({ joined: false, refusal: { code, message }, pipeline: null });
  }

  /** Takes an order or word of the coordinator. */
  heard({ standing, load, release }: CoordinatorMessage): void {
    if (load != null) this.#change({ loading: true, failure: "", ...NOTHING });
    if (release != null && release.beside !== true) this.#change({ loading: false, ...NOTHING });
    if (standing == null) return;
    const { reason, model, workers, drained } = standing;
    const [firstLayer, lastLayer] = [standing.firstLayer ?? 0, standing.lastLayer ?? 0];
    const layers = lastLayer > firstLayer ? ([firstLayer, lastLayer] as const) : null;
    const state: PipelineState = pipelineStateSchema.catch("waiting_for_workers").parse(standing.state);
    const seen = { state, reason: reason ?? "", model: model ?? "", workers: workers ?? 0, layers };
    this.#change({ pipeline: { ...seen, ...(drained === true && { drained }) } });
  }

  /** Takes an answer to the coordinator. */
  answered({ progress, ready, failed }: WorkerMessage): void {
    if (failed != null) this.#change({ loading: false, failure: failed.message ?? "", ...NOTHING });
    const preparing = progress == null ? null : preparingOf(progress);
    if (preparing !== null) this.#change({ preparing });
    else if (progress != null) this.#loaded(progress.bytes ?? 0, progress.totalBytes ?? 0);
    if (ready != null) {
      this.#change({ loading: false });
      this.#loaded(ready.weightBytes ?? 0, ready.weightBytes ?? 0);
    }
  }

  #loaded(loadedBytes: number, totalBytes: number): void {
    this.#change({ preparing: null, loadedBytes, totalBytes });
  }

  #change(facts: Partial<Facts>): void {
    const before = JSON.stringify(this.#facts);
    this.#facts = { ...this.#facts, ...facts };
    if (JSON.stringify(this.#facts) !== before) this.#tell({ kind: "standing", ...this.#facts });
  }
}
