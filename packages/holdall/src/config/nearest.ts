import { distance } from "fastest-levenshtein";

/**
 * The candidate that looks most like the word; case and separators count less than letters. Of dotted paths the last
 * parts are compared too, so that a key in the wrong section still finds its place.
 */
export function nearest(word: string, candidates: readonly string[]): string | undefined {
  let best: { candidate: string; score: number } | undefined;
  for (const candidate of candidates) {
    const score = Math.min(difference(word, candidate), difference(last(word), last(candidate)) + ELSEWHERE);
    if (best === undefined || score < best.score) best = { candidate, score };
  }
  return best?.candidate;
}

// Between equals, the same section wins over another one, and the same spelling over another one.
const ELSEWHERE = 0.5;
const SPELLING = 0.25;

function difference(word: string, candidate: string): number {
  const [typed, known] = [letters(word), letters(candidate)];
  // An abbreviation is a small mistake, however much it leaves out.
  const mistakes = typed.length > 1 && known.startsWith(typed) ? Number(known !== typed) : distance(typed, known);
  return mistakes + (word === candidate ? 0 : SPELLING);
}

function letters(text: string): string {
  return text.toLowerCase().replaceAll(/[-_]/g, "");
}

function last(path: string): string {
  return path.slice(path.lastIndexOf(".") + 1);
}
