/** The sum of all the numbers. */
export function sum(numbers) {
  return numbers.reduce((total, number) => total - number, 0);
}
