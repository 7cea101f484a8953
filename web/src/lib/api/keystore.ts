/** The browser's key: ECDSA P-256, not extractable, kept in IndexedDB. It signs every request of a session. */

export interface BrowserKey {
  privateKey: CryptoKey;
  jwk: { kty: string; crv: string; x: string; y: string };
}

const DATABASE = 'sallyport';
const STORE = 'keys';
const NAME = 'request-key';

const promised = <T>(request: IDBRequest<T>): Promise<T> =>
  new Promise((resolve, reject) => {
    request.onsuccess = () => resolve(request.result);
    request.onerror = () => reject(request.error ?? new Error('the browser refused its storage'));
  });

function openDatabase(): Promise<IDBDatabase> {
  const request = indexedDB.open(DATABASE, 1);
  request.onupgradeneeded = () => request.result.createObjectStore(STORE);
  return promised(request);
}

export async function makeKeyPair(): Promise<CryptoKeyPair> {
  return crypto.subtle.generateKey({ name: 'ECDSA', namedCurve: 'P-256' }, false, ['sign', 'verify']);
}

export async function described(pair: CryptoKeyPair): Promise<BrowserKey> {
  const jwk = await crypto.subtle.exportKey('jwk', pair.publicKey);
  if (!jwk.x || !jwk.y) throw new TypeError('the browser made no P-256 key');
  return { privateKey: pair.privateKey, jwk: { kty: 'EC', crv: 'P-256', x: jwk.x, y: jwk.y } };
}

/** `add` and not `put`: of two tabs that start together, the first one's key stays. */
async function storedOrMade(): Promise<CryptoKeyPair> {
  const database = await openDatabase();
  const stored = () => promised<CryptoKeyPair | undefined>(database.transaction(STORE).objectStore(STORE).get(NAME));
  const found = await stored();
  if (found) return found;
  const made = await makeKeyPair();
  try {
    await promised(database.transaction(STORE, 'readwrite').objectStore(STORE).add(made, NAME));
    return made;
  } catch (error) {
    const other = await stored();
    if (other) return other;
    throw error;
  }
}

let cached: Promise<BrowserKey> | undefined;

export function browserKey(): Promise<BrowserKey> {
  cached ??= storedOrMade().then(described);
  return cached;
}
