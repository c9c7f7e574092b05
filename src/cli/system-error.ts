/** What the operating system refused, as an error someone can act on. */
import { fail, type PlinthError } from "../ir/index.js";

/** The PlinthError for a full disk, a missing file or a missing permission; undefined for anything else. */
export function fromSystem(error: unknown): PlinthError | undefined {
  if (!(error instanceof Error) || !("code" in error)) return undefined;
  const { code, path } = error as NodeJS.ErrnoException;
  const name = path ?? "a file";
  switch (code) {
    case "ENOSPC":
    case "EDQUOT":
      return fail("disk", "the disk is full", "free some space; what was saved before is intact", path);
    case "EACCES":
    case "EPERM":
      return fail("disk", `no permission to open ${name}`, "change its permissions, or choose another folder");
    case "EROFS":
      return fail("disk", `${name} is on a disk that may only be read`, "choose another folder");
    case "ENOENT":
      return fail("source", `there is no ${name}`, "check the path");
    case "EISDIR":
      return fail("source", `${name} is a folder where a file is expected`, "name a file in it");
    case "ENOTDIR":
      return fail("source", `a part of the path ${name} is a file, not a folder`, "check the path");
    case "EMFILE":
      return fail("source", "too many files are open", "raise the limit with `ulimit -n 4096`");
    default:
      return undefined;
  }
}
