/** A server that stands in for the Hugging Face hub: one model from a folder, over the addresses that the hub has. */
import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";

export interface HubServer extends AsyncDisposable {
  readonly url: string;
  /** Paths of files that were asked for, with the first byte where it was not the first of the file. */
  readonly asked: string[];
  /** The connection ends after so many bytes of a large file, so many times. */
  cut: { after: number; times: number };
  /** Send other bytes than were announced. */
  spoilt: boolean;
  /** A file that is listed and not there. */
  lost?: string;
  /** Answer no request at all. */
  silent: boolean;
}

export const commit = "0123456789abcdef0123456789abcdef01234567";
/** Files of at least so many bytes have a sha256, as those in the hub's large file storage. */
const large = 10_000;

/** Serve the files of a folder as the model `owner/name`. */
export async function serveHub(folder: string, id: string): Promise<HubServer> {
  const names = readdirSync(folder, { recursive: true, withFileTypes: true }).flatMap((entry) =>
    entry.isFile() ? [join(entry.parentPath, entry.name).slice(folder.length + 1)] : [],
  );
  const files = new Map(names.map((name) => [name, readFileSync(join(folder, name))]));
  const server = createServer((request, response) => answer(request, response));
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const hub: HubServer = {
    url,
    asked: [],
    cut: { after: 0, times: 0 },
    spoilt: false,
    silent: false,
    async [Symbol.asyncDispose]() {
      server.closeAllConnections();
      await new Promise((done) => server.close(done));
    },
  };

  function answer(request: IncomingMessage, response: ServerResponse): void {
    if (hub.silent) return;
    const path = decodeURIComponent(new URL(request.url!, url).pathname);
    const json = (value: unknown, status = 200) => {
      response.writeHead(status, { "content-type": "application/json" });
      response.end(JSON.stringify(value));
    };
    if (path === `/api/models/${id}/revision/main` || path === `/api/models/${id}/revision/${commit}`)
      return json({ _id: "1", id, sha: commit, lastModified: "2024-01-01T00:00:00.000Z" });
    if (path === `/api/models/${id}/tree/${commit}`) return json(tree());
    if (path === "/api/models/owner/secret/revision/main") return json({ error: "Invalid username or password." }, 401);
    const name = path.startsWith(`/${id}/resolve/${commit}/`) ? path.slice(`/${id}/resolve/${commit}/`.length) : "";
    const bytes = files.get(name);
    if (name && name === hub.lost) response.setHeader("X-Error-Code", "EntryNotFound");
    if (!bytes || name === hub.lost) return json({ error: "Repository not found" }, 404);
    send(request, response, { name, bytes });
  }

  const tree = () =>
    Array.from(files, ([path, bytes]) => ({
      type: "file",
      path,
      size: bytes.length,
      oid: createHash("sha1").update(`blob ${bytes.length}\0`).update(bytes).digest("hex"),
      ...(bytes.length >= large && {
        lfs: { oid: createHash("sha256").update(bytes).digest("hex"), size: bytes.length, pointerSize: 100 },
      }),
    }));

  function send(
    request: IncomingMessage,
    response: ServerResponse,
    { name, bytes }: { name: string; bytes: Buffer },
  ): void {
    const range = /^bytes=(\d+)-(\d+)$/.exec(request.headers.range ?? "");
    const [from, to] = range ? [Number(range[1]), Number(range[2]) + 1] : [0, bytes.length];
    const probe = range !== null && to - from === 1;
    if (!probe) hub.asked.push(from ? `${name} from ${from}` : name);
    const part = Buffer.from(bytes.subarray(from, to));
    if (hub.spoilt && bytes.length >= large) part[part.length - 1]! ^= 1;
    response.writeHead(range ? 206 : 200, {
      "content-length": part.length,
      etag: `"${name}"`,
      ...(range && { "content-range": `bytes ${from}-${to - 1}/${bytes.length}` }),
    });
    if (probe || bytes.length < large || hub.cut.times === 0) return void response.end(part);
    hub.cut.times--;
    response.write(part.subarray(0, hub.cut.after), () => setTimeout(() => response.destroy(), 50));
  }
  return hub;
}
