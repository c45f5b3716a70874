/** Numbers, times and names in words. */

export function when(iso: string): string {
  return new Date(iso).toLocaleString(undefined, { dateStyle: 'medium', timeStyle: 'short' });
}

export function ago(iso: string, now: number = Date.now()): string {
  const seconds = Math.round((Date.parse(iso) - now) / 1000);
  const words = new Intl.RelativeTimeFormat(undefined, { numeric: 'auto' });
  for (const [unit, size] of [['day', 86400], ['hour', 3600], ['minute', 60]] as const) {
    if (Math.abs(seconds) >= size) return words.format(Math.trunc(seconds / size), unit);
  }
  return 'just now';
}

export function number(value: number, digits = 0): string {
  return value.toLocaleString(undefined, { minimumFractionDigits: digits, maximumFractionDigits: digits });
}

export function percent(share: number, digits = 0): string {
  return share.toLocaleString(undefined, { style: 'percent', maximumFractionDigits: digits });
}

export function checkpointName(checkpoint: string): string {
  return checkpoint === '' ? 'base' : checkpoint.slice(0, 12);
}

export const FACETS: Record<string, string> = {
  semantics: 'Matches the words',
  subject_detail: 'Details of the subject',
  background_detail: 'Details of the background',
  coherence: 'Holds together',
  aesthetics: 'Beauty',
  safety: 'Safe to show',
};

export const TERMS: Record<string, string> = {
  clip: 'Fits the words',
  aesthetic: 'Looks good',
  unsafe: 'Is safe',
};
