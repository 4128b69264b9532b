import { rm } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import type { LargeFile } from "./objects.ts";
import type { Contestant } from "./series.ts";
import type { Stage } from "./stage.ts";

export const COPY = "copy, SHA-256, fdatasync";
export const FILES = "hash, write, sync, name, sync folders";
const DD = "dd conv=fdatasync, not hashed";

const COPY_PROGRAM = fileURLToPath(import.meta.resolve("./copy-floor.ts"));
const FILES_PROGRAM = fileURLToPath(import.meta.resolve("./files-floor.ts"));

/** The floors of an upload: the same file, copied on the same disk. In megabytes (10⁶) a second. */
export function copyFloors(stage: Stage, file: LargeFile, folder: string): readonly [Contestant, Contestant] {
  const target = join(folder, "copy");
  const rate = async (program: string, args: readonly string[], printed: boolean): ReturnType<Contestant["run"]> => {
    await stage.settleWithMemory(1.25 * file.size);
    const { stdout, seconds, cpuSeconds } = await stage.run(program, args);
    await rm(target);
    return { value: file.size / 1e6 / (printed ? Number(stdout) : seconds), serverCpu: cpuSeconds };
  };
  return [
    { name: COPY, run: () => rate(process.execPath, [COPY_PROGRAM, file.path, target], true) },
    { name: DD, run: () => rate("dd", [`if=${file.path}`, `of=${target}`, "bs=4M", "conv=fdatasync"], false) },
  ];
}

/** The floor of many uploads: as many durable files of that size in the layout of the store. In objects a second. */
export function filesFloor(
  stage: Stage,
  { files, size }: { readonly files: number; readonly size: number },
): Contestant {
  return {
    name: FILES,
    run: async () => {
      await using part = stage.part();
      const target = await part.folder("floor");
      await stage.settleWithMemory(1.25 * files * size);
      const { stdout } = await part.run(process.execPath, [FILES_PROGRAM, String(files), String(size), target]);
      const [seconds = Number.NaN, cpuSeconds = Number.NaN] = stdout.split(" ").map(Number);
      return { value: files / seconds, serverCpu: cpuSeconds };
    },
  };
}
