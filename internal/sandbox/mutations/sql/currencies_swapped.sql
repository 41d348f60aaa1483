-- Two rows have each other's currency.
UPDATE :table SET currency = 'EUR' WHERE id = 'pay-0020';
UPDATE :table SET currency = 'USD' WHERE id = 'pay-0021';
