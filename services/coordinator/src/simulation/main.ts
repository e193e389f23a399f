import { loadConfig, RhoneError } from "@rhone/common";
import { simulationSettings } from "./config.js";
import { simulateDecoding } from "./simulate-decoding.js";

// Decoding on a virtual clock at several numbers of stages; prints one JSON array of DecodingFigures.

function readConfig() {
  try {
    return loadConfig(simulationSettings, process.env, process.argv.slice(2));
  } catch (error) {
    if (!(error instanceof RhoneError)) throw error;
    process.stderr.write(`${error.message}\n`);
    process.exit(2);
  }
}

const { stages: counts, ...options } = readConfig();
const figures = [];
for (const stages of counts) figures.push(await simulateDecoding({ ...options, stages }));
process.stdout.write(`${JSON.stringify(figures)}\n`);
