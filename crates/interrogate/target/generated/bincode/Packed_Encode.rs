impl < 'a > :: bincode :: Encode for Packed < 'a > where
{
    fn encode < __E : :: bincode :: enc :: Encoder >
    (& self, encoder : & mut __E) ->core :: result :: Result < (), :: bincode
    :: error :: EncodeError >
    {
        :: bincode :: Encode :: encode(&self.ends, encoder) ?; :: bincode ::
        Encode :: encode(&self.text, encoder) ?; core :: result :: Result ::
        Ok(())
    }
}