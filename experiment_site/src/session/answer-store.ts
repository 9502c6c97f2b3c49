// Where answers wait until the server has them: IndexedDB, so that they survive a reload or a crash of the browser.

import { type DBSchema, openDB } from "idb";
import type { Response } from "../contract";

/** Some browsers' databases at times never answer. */
const PATIENCE_MSEC = 5_000;

/** The waiting answers of one session. */
export interface AnswerStore {
  waiting(): Promise<Response[]>;
  put(response: Response): Promise<void>;
  remove(indices: readonly number[]): Promise<void>;
}

interface AnswersSchema extends DBSchema {
  answers: { key: [session: string, index: number]; value: { session: string; index: number; response: Response } };
}

/**
 * Open the store of the session of this name, which no other session of any study has, nor one that was begun anew under
 * the same link. Where the browser refuses to keep anything, answers wait in memory and are sent all the same.
 */
export async function openAnswerStore(participant: string): Promise<AnswerStore> {
  try {
    return await inTime(openIndexedDb(participant));
  } catch (error) {
    console.warn("answers cannot be kept in this browser; a reload may lose those not yet sent", error);
    return memoryStore();
  }
}

async function openIndexedDb(session: string): Promise<AnswerStore> {
  const database = await openDB<AnswersSchema>("lwise", 1, {
    upgrade(fresh) {
      fresh.createObjectStore("answers", { keyPath: ["session", "index"] });
    },
  });
  const ofSession = IDBKeyRange.bound([session, 0], [session, Number.MAX_SAFE_INTEGER]);
  return {
    async waiting() {
      return (await inTime(database.getAll("answers", ofSession))).map((row) => row.response);
    },
    async put(response) {
      // "strict": written to the disk when the promise resolves, not only handed to the operating system.
      const transaction = database.transaction("answers", "readwrite", { durability: "strict" });
      await inTime(
        Promise.all([transaction.store.put({ session, index: response.index, response }), transaction.done]),
      );
    },
    async remove(indices) {
      const transaction = database.transaction("answers", "readwrite");
      await inTime(
        Promise.all([...indices.map((index) => transaction.store.delete([session, index])), transaction.done]),
      );
    },
  };
}

function inTime<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the browser's database does not answer")), PATIENCE_MSEC);
    promise.then(resolve, reject).finally(() => clearTimeout(timer));
  });
}

function memoryStore(): AnswerStore {
  const rows = new Map<number, Response>();
  return {
    waiting: async () => [...rows.values()],
    put: async (response) => {
      rows.set(response.index, response);
    },
    remove: async (indices) => {
      for (const index of indices) {
        rows.delete(index);
      }
    },
  };
}
