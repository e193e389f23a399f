// Times a few layers and the head of a model for `rhone plan`, without a cluster.
import {
  announce,
  type CalibrationAnswer,
  type CalibrationOrder,
  createLogger,
  loadConfig,
  RhoneError,
  runService,
} from "@rhone/common";
import { calibrationSettings, openCalibration } from "./calibration.js";

function readConfig() {
  try {
    return loadConfig(calibrationSettings, process.env, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof RhoneError)) throw error;
    announce({ kind: "fatal", code: error.code, message: error.message });
    process.exit(2);
  }
}

const config = readConfig();
const answer = (message: CalibrationAnswer): void => void process.send?.(message);

await runService(createLogger({ service: "calibration", level: "error" }), async (shutdown) => {
  const shard = await openCalibration(config, shutdown);
  process.on("message", async ({ rows }: CalibrationOrder) => {
    answer({ kind: "measured", stepTimes: await shard.measure(rows) });
  });
  answer({ kind: "loaded" });
});
