/** Of this release, as every package.json has it. */
export const VERSION = "0.1.0";
