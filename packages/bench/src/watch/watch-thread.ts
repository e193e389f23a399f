import { parentPort, workerData } from "node:worker_threads";
import { Watch } from "./watch.js";

const watch = new Watch(workerData);
parentPort?.on("message", () => parentPort?.postMessage(watch.take()));
