import { createHash } from "node:crypto";
import { mkdir, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import type { Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import type S3rver from "s3rver";

type Put = {
  readonly bucket: string;
  readonly key: string;
  readonly content: Buffer | Readable;
  readonly metadata: object;
};

/** What s3rver's store on files does; it has no types of its own. */
type FileStore = {
  getResourcePath(bucket: string, key: string | undefined, resource: string): string;
  putMetadata(bucket: string, key: string, metadata: object, md5: string): Promise<void>;
  putObject(put: Put): Promise<{ size: number; md5: string }>;
  putPart(bucket: string, uploadId: string, part: number, content: Readable): Promise<object>;
  getObject(...query: unknown[]): Promise<unknown>;
  listObjects(...query: unknown[]): Promise<unknown>;
  deleteObject(bucket: string, key: string): Promise<void>;
};

/**
 * Lets s3rver answer a write only when it is written, and a read with one version of the object and its ETag, as S3
 * does: of its own it answers before the file is closed, and writes over a file that another request reads.
 */
export function keepObjectsWhole<Server extends S3rver>(server: Server): Server {
  const { store } = server as unknown as { readonly store: FileStore };
  const inTurn = turns();
  const getObject = store.getObject.bind(store);
  const listObjects = store.listObjects.bind(store);
  const deleteObject = store.deleteObject.bind(store);
  Object.assign(store, {
    getObject: (...query) => inTurn(() => getObject(...query)),
    listObjects: (...query) => inTurn(() => listObjects(...query)),
    deleteObject: (bucket, key) => inTurn(() => deleteObject(bucket, key)),
    async putObject({ bucket, key, content, metadata }) {
      const { bytes, md5 } = await whole(content);
      await inTurn(async () => {
        await replaceFile(store.getResourcePath(bucket, key, "object"), bytes);
        await store.putMetadata(bucket, key, metadata, md5);
      });
      return { size: bytes.length, md5 };
    },
    async putPart(bucket, uploadId, part, content) {
      const { bytes, md5 } = await whole(content);
      const path = join(store.getResourcePath(bucket, undefined, "uploads"), uploadId, `${part}`);
      await replaceFile(path, bytes);
      await writeFile(`${path}.md5`, md5);
      return { size: bytes.length, md5 };
    },
  } satisfies Partial<FileStore>);
  return server;
}

/** Runs one after the other. */
function turns() {
  let last: Promise<unknown> = Promise.resolve();
  return async <Result>(run: () => Promise<Result>): Promise<Result> => {
    const turn = last.then(run);
    last = turn.catch(() => undefined);
    return turn;
  };
}

async function whole(content: Buffer | Readable): Promise<{ bytes: Buffer; md5: string }> {
  const bytes = Buffer.isBuffer(content) ? content : await buffer(content);
  return { bytes, md5: createHash("md5").update(bytes).digest("hex") };
}

/** As a new file: a request that still reads the one before reads it to its end. */
async function replaceFile(path: string, bytes: Buffer): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  await rm(path, { force: true });
  await writeFile(path, bytes);
}
