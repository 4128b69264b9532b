import { ValueError } from "./errors.ts";

const REFERENCE = /\$\$\{|\$\{(?:([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\})?/g;

/**
 * Puts environment variables into text: `${NAME}`, or `${NAME:-default}` for when it is unset or empty. `$${` stands for
 * the characters `${`.
 * @returns undefined when the text names no variable and escapes none
 * @throws ValueError naming each variable that is unset and has no default
 */
export function interpolate(text: string, env: NodeJS.ProcessEnv): string | undefined {
  if (!text.includes("${")) return undefined;
  const unset: string[] = [];
  const result = text.replace(REFERENCE, (found, name: string | undefined, fallback: string | undefined) => {
    if (found === "$${") return "${";
    if (name === undefined) {
      throw new ValueError("`${` must be followed by NAME} or NAME:-default}; write $${ for the characters themselves");
    }
    const value = env[name];
    if (fallback !== undefined) return value === undefined || value === "" ? fallback : value;
    if (value === undefined) unset.push(name);
    return value ?? "";
  });
  if (unset.length > 0) {
    const names = unset.map((name) => `\${${name}}`).join(", ");
    throw new ValueError(`${names} is not set in the environment; set it, or write \${${unset[0]}:-default}`);
  }
  return result;
}
