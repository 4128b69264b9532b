/**
 * Many small objects by way of an LFS server, eight at a time, batches and all.
 *
 *     node lfs-many.ts LFS-URL up|down FIRST COUNT SIZE      prints the seconds that it took
 */
import { downloadAll, uploadAll } from "./lfs-api.ts";
import { smallObjects } from "./objects.ts";

const [lfsUrl = "", way, ...numbers] = process.argv.slice(2);
const [first = 0, count = 0, size = 0] = numbers.map(Number);
const objects = smallObjects(count, size, first);
const started = performance.now();
await (way === "up" ? uploadAll(lfsUrl, objects) : downloadAll(lfsUrl, objects));
console.log((performance.now() - started) / 1000);
