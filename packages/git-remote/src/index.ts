export { runHelper, type HelperOptions } from "./helper.ts";
export type { Layout } from "./open-repository.ts";
