import type { BucketSettings } from "../../shared/catalog/bucket/bucket.ts";
import { bucketCatalog } from "../../shared/catalog/bucket/bucket-catalog.ts";
import { makeBucket, type OwnStore } from "./s3.ts";
import { storeProxy } from "./store-proxy.ts";

/** A mirror in a new bucket, whose requests pass a proxy that can break them. */
export async function proxiedMirror(store: OwnStore, changes: Partial<BucketSettings> = {}) {
  const [proxy, bucket] = await Promise.all([storeProxy(store.port), makeBucket(store)]);
  return {
    proxy,
    bucket,
    mirror: bucketCatalog({ ...bucket.settings, endpoint: proxy.endpoint, ...changes }),
    async [Symbol.asyncDispose]() {
      await bucket[Symbol.asyncDispose]();
      await proxy[Symbol.asyncDispose]();
    },
  };
}
