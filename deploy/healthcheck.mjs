// Exits 0 when the URL answers with success: the images have neither curl nor wget.
try {
  const response = await fetch(process.argv[2], { signal: AbortSignal.timeout(2500) });
  process.exit(response.ok ? 0 : 1);
} catch {
  process.exit(1);
}
