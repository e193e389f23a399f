import { Counter, Gauge, Histogram, Registry } from "prom-client";

/** Every metric of a shard-worker. Each series says which model it serves, once it knows. */
export function createMetrics() {
  const registry = new Registry();
  registry.setDefaultLabels({ model_name: "" });
  const registers = [registry];
  return {
    registry,
    serves: (model: string): void => {
      registry.setDefaultLabels({ model_name: model });
    },
    steps: new Counter({ name: "rhone_worker_steps_total", help: "Steps that ran.", registers }),
    failures: new Counter({ name: "rhone_worker_step_failures_total", help: "Steps that failed.", registers }),
    rows: new Counter({
      name: "rhone_worker_rows_total",
      help: "Rows, one per token, that ran through the layers.",
      registers,
    }),
    busySeconds: new Counter({ name: "rhone_worker_busy_seconds_total", help: "Time spent computing.", registers }),
    idleSeconds: new Counter({
      name: "rhone_worker_idle_seconds_total",
      help: "Time spent waiting for a frame.",
      registers,
    }),
    sendSeconds: new Histogram({
      name: "rhone_worker_send_seconds",
      help:
        "Time from handing a frame of activations or results to the connection until that had passed it on: the hop's " +
        "sending half, waits for a receiver that is behind included.",
      buckets: [0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.5, 1],
      registers,
    }),
    info: new Gauge({
      name: "rhone_worker_info",
      help: "1, with the worker's id and the stage that it is; `spare` without one.",
      labelNames: ["worker", "stage"] as const,
      registers,
    }),
    sentBytes: new Counter({
      name: "rhone_worker_sent_bytes_total",
      help: "Bytes of activations sent to the next stage.",
      registers,
    }),
    stepSeconds: new Histogram({
      name: "rhone_worker_step_seconds",
      help: "Time of a step's computation.",
      buckets: [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10],
      registers,
    }),
    weightBytes: new Gauge({ name: "rhone_worker_weight_bytes", help: "Memory of the weights.", registers }),
    weightsFetchedBytes: new Counter({
      name: "rhone_worker_weights_fetched_bytes_total",
      help: "Bytes of weights that came over the wire, because the machine lacked them.",
      registers,
    }),
    weightsSentBytes: new Counter({
      name: "rhone_worker_weights_sent_bytes_total",
      help: "Bytes of weights sent to machines that lack them.",
      registers,
    }),
    weightsWrong: new Counter({
      name: "rhone_worker_weights_wrong_total",
      help: "Tensors that came with another hash than the coordinator's and were fetched again.",
      registers,
    }),
    kernels: new Gauge({
      name: "rhone_worker_kernels_info",
      help: "1, with what products and attention are computed with: `ggml`, or Rhone's own kernels by name.",
      labelNames: ["kernels"],
      registers,
    }),
    pageBytes: new Gauge({ name: "rhone_worker_page_bytes", help: "Memory of the K/V pages.", registers }),
  };
}

export type Metrics = ReturnType<typeof createMetrics>;
