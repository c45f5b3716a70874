/**
 * Answers that were given and not yet acknowledged, in IndexedDB: they outlive the tab, the network and the server.
 *
 * An answer leaves only when the server says that it has it (or refuses it for good). Its id is made here, once, so
 * that sending it twice stores it once. Each waits under the person who gave it and is never sent as somebody else's.
 */
export interface Waiting<T> {
  id: string;
  person: string;
  item: T;
  queued: number;
}

const STORE = 'outbox';
const KEPT = 'kept';

function done<T>(request: IDBRequest<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the device could not keep this'));
  });
}

let opened: Promise<IDBDatabase> | undefined;

function database(): Promise<IDBDatabase> {
  opened ??= new Promise((resolve, reject) => {
    const request = indexedDB.open('redraft', 1);
    request.onupgradeneeded = () => {
      request.result.createObjectStore(STORE, { keyPath: 'id' }).createIndex('person', 'person');
      request.result.createObjectStore(KEPT);
    };
    request.onsuccess = () => {
      // The browser closes it when the site's data are cleared; the next use opens it anew.
      request.result.onclose = () => (opened = undefined);
      resolve(request.result);
    };
    request.onerror = () => reject(request.error ?? new Error('this browser keeps nothing: is it in private mode?'));
  });
  return opened;
}

async function within<T>(store: string, mode: IDBTransactionMode, act: (store: IDBObjectStore) => IDBRequest<T>): Promise<T> {
  const transaction = (await database()).transaction(store, mode, { durability: 'strict' });
  const finished = new Promise<void>((resolve, reject) => {
    transaction.oncomplete = () => resolve();
    transaction.onabort = () => reject(transaction.error ?? new Error('the device could not keep this'));
  });
  const result = await done(act(transaction.objectStore(store)));
  await finished;
  return result;
}

/** Keep an answer until it is acknowledged. Durable when this returns. */
export async function put<T>(waiting: Waiting<T>): Promise<void> {
  await within(STORE, 'readwrite', (store) => store.put(waiting));
}

/** What waits of a person, in the order in which it was given (ids of version 7 sort by time). */
export async function waiting<T>(person: string): Promise<Waiting<T>[]> {
  return within(STORE, 'readonly', (store) => store.index('person').getAll(person));
}

/** Forget an answer that was acknowledged. */
export async function drop(id: string): Promise<void> {
  await within(STORE, 'readwrite', (store) => store.delete(id));
}

/** Keep a copy of something the server said, to show it without network. */
export async function keep(name: string, value: unknown): Promise<void> {
  await within(KEPT, 'readwrite', (store) => store.put(value, name));
}

/** The copy, or undefined. */
export async function kept<T>(name: string): Promise<T | undefined> {
  return (await within(KEPT, 'readonly', (store) => store.get(name))) as T | undefined;
}

/** Forget every copy of a person who logs out. What waits to be sent stays: it is theirs and not sent yet. */
export async function forgetKept(): Promise<void> {
  await within(KEPT, 'readwrite', (store) => store.clear());
}
