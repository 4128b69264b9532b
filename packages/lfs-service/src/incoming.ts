import { parseKey, type ObjectKey } from "@holdall/object-store";

/** A repository may have that name, and its objects then begin so too; but no oid is as short as a place. */
const WAITING = /^holdall-incoming\/[0-9a-f]{40}(?:\.\d{1,5})?$/;

/** What the keys begin with at which uploads wait that nobody has checked yet. */
export const INCOMING_PREFIX = "holdall-incoming/";

/** Whether it is a place where an upload waits. */
export function isIncoming(key: ObjectKey): boolean {
  return WAITING.test(key);
}

/** Where an upload waits. @param place 40 hexadecimal digits, of this upload alone */
export function incomingKey(place: string): ObjectKey {
  return parseKey(`${INCOMING_PREFIX}${place}`);
}

/** Where those bytes of a part wait that had come when the connection broke. @param number of the part, from 1 */
export function brokenPartKey(place: string, number: number): ObjectKey {
  return parseKey(`${INCOMING_PREFIX}${place}.${number}`);
}
