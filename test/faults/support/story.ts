import { test, type TestContext } from "node:test";

/** Longer than any story takes on a slow machine; it ends those that hang. */
const STORY_MS = 180_000;

/** What an operator relies on, told with real processes. */
export function story(title: string, tell: (t: TestContext) => Promise<void>): void {
  test(title, { timeout: STORY_MS }, tell);
}
