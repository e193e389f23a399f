export * from "./errors/error-table.js";
export * from "./errors/rhone-error.js";
