"""A schema to copy: name it in dataguard.toml as ``schema = "example.py:Patients"``."""

import pandas as pd
import pandera.pandas as pa


class Patients(pa.DataFrameModel):
    """One row a visit."""

    visit_id: str = pa.Field(unique=True, str_matches=r"^V\d{4}$")
    age: int = pa.Field(ge=0, le=120)
    sex: str = pa.Field(isin=["f", "m", "x"])
    weight_kg: float = pa.Field(gt=0, nullable=True)
    diagnosis: str

    @pa.dataframe_check
    @classmethod
    def children_are_light(cls, table: pd.DataFrame) -> pd.Series:
        """Nobody below the age of two weighs more than 25 kg; unknown weights pass."""
        return ~((table["age"] < 2) & (table["weight_kg"] > 25))

    class Config:
        """Columns that are not named here are an error."""

        strict = True
