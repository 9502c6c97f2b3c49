// Saves unsent answers in IndexedDB, so that they survive a reload or a crash of the browser.

import { type DBSchema, openDB } from "idb";
import type { Response } from "../contract";

/** Some browsers' databases sometimes never respond. */
const TIMEOUT_MSEC = 5_000;

/** The unsent answers of one session. */
export interface AnswerStore {
  waiting(): Promise<Response[]>;
  put(response: Response): Promise<void>;
  remove(indices: readonly number[]): Promise<void>;
}

interface AnswersSchema extends DBSchema {
  answers: { key: [session: string, index: number]; value: { session: string; index: number; response: Response } };
}

/**
 * Open the store of one session. The name is unique to it: a session restarted under the same link has another. Where the
 * browser cannot store anything, answers wait in memory and are sent all the same.
 */
export async function openAnswerStore(participant: string): Promise<AnswerStore> {
  try {
    return await withTimeout(openIndexedDb(participant));
  } catch (error) {
    console.warn("cannot save answers in this browser; a reload may lose unsent ones", error);
    return memoryStore();
  }
}

async function openIndexedDb(session: string): Promise<AnswerStore> {
  const database = await openDB<AnswersSchema>("lwise", 1, {
    upgrade(newDatabase) {
      newDatabase.createObjectStore("answers", { keyPath: ["session", "index"] });
    },
  });
  const ofSession = IDBKeyRange.bound([session, 0], [session, Number.MAX_SAFE_INTEGER]);
  return {
    async waiting() {
      return (await withTimeout(database.getAll("answers", ofSession))).map((row) => row.response);
    },
    async put(response) {
      // "strict": the promise resolves once the data are on the disk, not only handed to the operating system.
      const transaction = database.transaction("answers", "readwrite", { durability: "strict" });
      await withTimeout(
        Promise.all([transaction.store.put({ session, index: response.index, response }), transaction.done]),
      );
    },
    async remove(indices) {
      const transaction = database.transaction("answers", "readwrite");
      await withTimeout(
        Promise.all([...indices.map((index) => transaction.store.delete([session, index])), transaction.done]),
      );
    },
  };
}

function withTimeout<T>(promise: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const timer = setTimeout(() => reject(new Error("the browser's database does not respond")), TIMEOUT_MSEC);
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
