"""`limner prepare`: training sets made of what a person has."""
