export { runHelper, type HelperOptions } from "./helper.ts";
